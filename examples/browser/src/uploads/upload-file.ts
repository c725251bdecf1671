import { AshlarError, type ObjectClient } from "@ashlar/sdk";
import { ANSWER_MS } from "../answer-limit.ts";
import { inLanes } from "./in-lanes.ts";
import { type Part, partBytesFor, planParts, WHOLE_MAX_BYTES } from "./plan-parts.ts";
import { presentParts, sha256Hex } from "./present-parts.ts";
import { dropToken, findToken, keepToken, type ResumeToken } from "./resume-tokens.ts";

/**
 * Metadata of an object that names the upload that made it. A complete upload is not found any more, and an object made of parts has no SHA-256. So
 * without this mark the page could not tell the object from another one under the same key.
 */
const UPLOAD_MARK = "browser-upload";

/** Parts of one file in flight. */
const LANES = 3;

/** One file that is being uploaded. */
export interface FileUpload {
  readonly client: ObjectClient;
  readonly bucket: string;
  readonly key: string;
  readonly file: File;
  readonly handle?: FileSystemFileHandle | undefined;
  readonly signal: AbortSignal;
  /** Parts that this page has seen arrive, by number, with their etags: kept from one try to the next. */
  readonly known: Map<number, string>;
  readonly onStage: (stage: UploadStage) => void;
  readonly onProgress: (progress: UploadProgress) => void;
}

/** `checking`: reading the file, to compare it with what the store has. `finishing`: all bytes are there, the object is being made. */
export type UploadStage = "checking" | "moving" | "finishing";

/** Bytes of one file. */
export interface UploadProgress {
  /** In the store before this try. */
  readonly presentBytes: number;
  /** Sent by this try. */
  readonly sentBytes: number;
}

/**
 * Uploads a file, in parts if it is large; parts that the store has from an earlier try are not sent again.
 *
 * @throws {AshlarError} CANCELED when the signal aborts. What has arrived by then stays, and the next try goes on from there.
 */
export async function uploadFile(upload: FileUpload): Promise<void> {
  if (upload.file.size <= WHOLE_MAX_BYTES) return await uploadWhole(upload);
  const token = (await findToken(upload.bucket, upload.key, upload.file)) ?? (await begin(upload));
  try {
    return await uploadParts(upload, token);
  } catch (error) {
    // The store aborts unfinished uploads after a week, the answer to a completion may have been lost, or another tab works on the same upload.
    if (!AshlarError.is(error, "UPLOAD_NOT_FOUND")) throw error;
    await dropToken(token.uploadId);
    if (await isComplete(upload.client, token)) return;
    upload.known.clear();
    return await uploadParts(upload, await begin(upload));
  }
}

/** Whether an upload that the store does not know any more was completed and became its object. */
export async function isComplete(client: ObjectClient, token: ResumeToken): Promise<boolean> {
  const { bucket, key, mark } = token;
  try {
    const { metadata } = await client.headObject({ bucket, key, timeoutMs: ANSWER_MS });
    return mark !== undefined && metadata?.[UPLOAD_MARK] === mark;
  } catch (error) {
    if (AshlarError.is(error, "OBJECT_NOT_FOUND")) return false;
    throw error;
  }
}

async function uploadWhole({ client, bucket, key, file, signal, onStage, onProgress }: FileUpload): Promise<void> {
  onStage("moving");
  await client.putObject({
    bucket,
    key,
    body: file,
    contentType: contentTypeOf(file),
    sha256: await sha256Hex(file),
    signal,
    onProgress: ({ transferredBytes }) => onProgress({ presentBytes: 0, sentBytes: transferredBytes }),
  });
}

async function begin({ client, bucket, key, file, handle, signal }: FileUpload): Promise<ResumeToken> {
  const mark = crypto.randomUUID();
  const { uploadId, createdAtMs } = await client.createUpload({
    ...{ bucket, key, signal, timeoutMs: ANSWER_MS },
    contentType: contentTypeOf(file),
    metadata: { [UPLOAD_MARK]: mark },
  });
  const token: ResumeToken = {
    ...{ uploadId, bucket, key, handle },
    ...{ name: file.name, sizeBytes: file.size, lastModifiedMs: file.lastModified },
    ...{ partBytes: partBytesFor(file.size), createdAtMs, mark },
  };
  await keepToken(token);
  return token;
}

async function uploadParts(upload: FileUpload, token: ResumeToken): Promise<void> {
  const { client, file, signal, known, onStage, onProgress } = upload;
  const { uploadId } = token;
  onStage("checking");
  const parts = planParts(file.size, token.partBytes);
  await presentParts({ client, uploadId, file, parts, known, signal });
  const missing = parts.filter(({ partNumber }) => !known.has(partNumber));
  const presentBytes = file.size - bytesOf(missing);
  const sent = new Map<number, number>();
  const tell = (): void => onProgress({ presentBytes, sentBytes: [...sent.values()].reduce((sum, n) => sum + n, 0) });
  tell();
  onStage("moving");
  await inLanes(LANES, missing, signal, async (part, laneSignal) => {
    const { partNumber } = part;
    const body = file.slice(part.startByte, part.endByte);
    const { etag } = await client.writePart({
      ...{ uploadId, partNumber, body },
      // The digest of the bytes as they were read here: so a file that changes meanwhile is noticed, and not stored half old, half new.
      sha256: await sha256Hex(body),
      signal: laneSignal,
      onProgress: ({ transferredBytes }) => {
        sent.set(partNumber, transferredBytes);
        tell();
      },
    });
    known.set(partNumber, etag);
  });
  onStage("finishing");
  const inOrder = parts.map(({ partNumber }) => ({ partNumber, etag: known.get(partNumber) ?? "" }));
  await client.completeUpload({ uploadId, parts: inOrder, signal });
  await dropToken(uploadId);
}

function bytesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { startByte, endByte }) => sum + endByte - startByte, 0);
}

function contentTypeOf(file: File): string {
  return file.type === "" ? "application/octet-stream" : file.type;
}
