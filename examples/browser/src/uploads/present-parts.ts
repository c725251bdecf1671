import type { ObjectClient, PartInfo } from "@ashlar/sdk";
import { encodeHex, webCryptoHasher } from "@ashlar/sdk/hash";
import { ANSWER_MS } from "../answer-limit.ts";
import type { Part } from "./plan-parts.ts";

/** What {@link presentParts} compares. */
export interface PresentPartsOptions {
  readonly client: ObjectClient;
  readonly uploadId: string;
  readonly file: File;
  readonly parts: readonly Part[];
  /** Parts known to be there, by number, with their etags; those that are found are added. */
  readonly known: Map<number, string>;
  readonly signal: AbortSignal;
}

/**
 * Asks the store which parts it has. A part counts only if the file's own bytes have the same SHA-256: somebody may have changed the file without
 * changing its size. Reading a file is much faster than sending it.
 *
 * @throws {AshlarError} UPLOAD_NOT_FOUND, CANCELED.
 */
export async function presentParts(options: PresentPartsOptions): Promise<void> {
  const { client, uploadId, file, parts, known, signal } = options;
  const held = new Map<number, PartInfo>();
  for await (const part of client.listParts({ uploadId, signal, timeoutMs: ANSWER_MS }))
    held.set(part.partNumber, part);
  for (const { partNumber, startByte, endByte } of parts) {
    const info = held.get(partNumber);
    if (info === undefined) known.delete(partNumber);
    if (info === undefined || known.get(partNumber) === info.etag) continue;
    signal.throwIfAborted();
    if (info.sha256 === (await sha256Hex(file.slice(startByte, endByte)))) known.set(partNumber, info.etag);
    else known.delete(partNumber);
  }
}

/** SHA-256 in hex. @param blob of a few MiB: it is read whole. */
export async function sha256Hex(blob: Blob): Promise<string> {
  return encodeHex(await webCryptoHasher.digest(new Uint8Array(await blob.arrayBuffer())));
}
