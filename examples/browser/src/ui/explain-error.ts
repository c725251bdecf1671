import { AshlarError, type ErrorCode } from "@ashlar/sdk";

/** An error in words for the user of the page. */
export interface Explanation {
  /** The stable code, to look up in docs/errors.md; absent if it is not an error of the store. */
  readonly code?: ErrorCode | undefined;
  readonly what: string;
  readonly whatToDo: string;
}

/** What the user can do, by code. Codes that only a bug can cause have no line. */
const WHAT_TO_DO: Partial<Record<ErrorCode, string>> = {
  NODE_UNAVAILABLE: "The store cannot be reached. Check the connection, then try again; nothing that was sent is lost.",
  QUORUM_NOT_REACHED: "Too few storage nodes answer. Try again in a moment; nothing that was sent is lost.",
  METADATA_UNAVAILABLE: "The store's database does not answer. Try again in a moment.",
  OVERLOADED: "The store has too much to do. Try again in a moment.",
  DISK_FULL: "The store's disks are full. Delete something, or ask the operator for room.",
  UNAUTHENTICATED: "This page's access has ended. Reload the page; uploads go on from where they were.",
  PERMISSION_DENIED: "This page may not do that. Ask the operator of the app.",
  OBJECT_NOT_FOUND: "Somebody has deleted or moved it. Refresh the list.",
  BUCKET_NOT_FOUND: "The bucket is gone. Restart the app's server, which makes it.",
  PRECONDITION_FAILED: "Somebody has changed it meanwhile. Refresh the list.",
  CHECKSUM_MISMATCH: "The bytes that arrived are not those of the file. Try again.",
  CHUNK_CORRUPT: "Copies in the store are damaged. Try again; the operator should run `ashlar health`.",
  CHUNK_MISSING: "Copies in the store are missing. Try again later; the operator should run `ashlar health`.",
  DEADLINE_EXCEEDED: "The store does not answer. Check the connection, then try again.",
  INVALID_ARGUMENT: "The store does not take this name or file. Give it a shorter or plainer name.",
  UPLOAD_NOT_FOUND: "The upload was ended in another tab, or aborted by the store. Try again; it starts over.",
  OBJECT_TOO_LARGE: "The file is larger than the store takes.",
};

export function explainError(error: unknown): Explanation {
  if (error instanceof DOMException && error.name === "NotReadableError") return unreadable(error);
  const known = AshlarError.from(error);
  if (known.cause instanceof DOMException && known.cause.name === "NotReadableError") return unreadable(known.cause);
  return {
    code: AshlarError.is(error) ? known.code : undefined,
    what: known.message,
    whatToDo: WHAT_TO_DO[known.code] ?? "Try again; if that does not help, tell the operator of the app.",
  };
}

function unreadable(error: DOMException): Explanation {
  return { what: error.message, whatToDo: "The file was changed, moved or deleted. Choose it again." };
}
