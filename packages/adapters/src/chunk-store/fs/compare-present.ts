import type { FileHandle } from "node:fs/promises";
import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import { BLOCK_BYTES, corruptChunk, decodeTrailer, trailerBytes, verifyBlocks } from "./chunk-format.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { readExactly, readFully } from "./chunk-reader.ts";
import { type PresentChunk, quarantine } from "./claims.ts";
import type { FsParts } from "./fs-parts.ts";

/** Bytes per read call, a multiple of the block size. */
const PIECE_BYTES = 16 * BLOCK_BYTES;

/** What a put brings: its bytes, or the block checksums that were taken while they were written aside. */
export type IncomingContent =
  | { readonly sizeBytes: number; readonly bytes: Uint8Array }
  | { readonly sizeBytes: number; readonly checksums: readonly number[] };

/**
 * Whether the file holds what a put brings, down to the last byte; one that does not is quarantined. The put has the right bytes in hand, and
 * must not be answered with a copy that nobody can read. The caller holds the chunk's lock and has checked the digest of what comes in.
 *
 * Memory: one buffer of 1 MiB.
 */
export async function holdsSame(
  parts: FsParts,
  place: ChunkPlace,
  present: PresentChunk,
  incoming: IncomingContent & { readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  try {
    if (present.payloadBytes !== incoming.sizeBytes)
      throw corruptChunk(place.chunkId, "the size differs from the chunk's");
    await compare(present.handle, place, incoming);
    return true;
  } catch (error) {
    if (!AshlarError.is(error, "CHUNK_CORRUPT")) throw error;
    // A caller whose abort has rejected may have changed its bytes: then it is they that differ.
    throwIfAborted(incoming.signal);
    const problem = error.details.problem ?? error.message;
    await quarantine(parts, place, { identity: present.identity, problem });
    return false;
  }
}

async function compare(
  handle: FileHandle,
  { chunkId }: ChunkPlace,
  incoming: IncomingContent & { readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { sizeBytes, signal } = incoming;
  const span = { start: sizeBytes, end: sizeBytes + trailerBytes(sizeBytes) };
  const checksums = decodeTrailer(chunkId, sizeBytes, await readExactly(handle, chunkId, span));
  if ("checksums" in incoming && incoming.checksums.some((checksum, index) => checksum !== checksums[index]))
    throw corruptChunk(chunkId, "the block checksums differ from those of the bytes put");
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes));
  for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
    throwIfAborted(signal);
    const piece = buffer.subarray(0, sizeBytes - offset);
    const filled = await readFully(handle, piece, offset);
    if (filled < piece.byteLength) throw corruptChunk(chunkId, "the file is shorter than it was");
    verifyBlocks(chunkId, piece, { checksums, firstIndex: offset / BLOCK_BYTES });
    if ("bytes" in incoming && Buffer.compare(piece, incoming.bytes.subarray(offset, offset + piece.byteLength)) !== 0)
      throw corruptChunk(chunkId, "the bytes differ from those put");
  }
}
