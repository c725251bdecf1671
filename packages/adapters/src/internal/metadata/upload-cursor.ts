import { AshlarError } from "@ashlar/sdk/errors";
import { decodeCursor, encodeCursor } from "./list-range.ts";

/** Position in a listing of uploads: the last one shown. The key is byte text. */
export interface UploadPosition {
  readonly key: string;
  readonly uploadId: string;
}

/** Upload ids have no blank, so the first one ends the id. */
export function encodeUploadCursor({ key, uploadId }: UploadPosition): string {
  return encodeCursor(`${uploadId} ${key}`);
}

/** @throws {AshlarError} INVALID_ARGUMENT. */
export function decodeUploadCursor(cursor: string): UploadPosition {
  const text = decodeCursor(cursor);
  const blank = text.indexOf(" ");
  if (blank < 1) throw new AshlarError("INVALID_ARGUMENT", "the cursor is not one of this store");
  return { uploadId: text.slice(0, blank), key: text.slice(blank + 1) };
}
