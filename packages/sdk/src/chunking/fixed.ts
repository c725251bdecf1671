import { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import type { ChunkCutter, Chunker } from "./chunker.ts";

/**
 * Cuts every `chunkBytes` bytes; the last chunk is what remains. Works without knowing the length.
 *
 * @param chunkBytes 64 KiB (CHUNK_MIN_BYTES) to 1 GiB (CHUNK_MAX_BYTES); 4 MiB by default. Nodes take 64 MiB unless configured otherwise.
 * @throws {AshlarError} INVALID_ARGUMENT for anything else.
 */
export function fixed(chunkBytes: number = LIMITS.CHUNK_DEFAULT_BYTES): Chunker {
  const [min, max] = [LIMITS.CHUNK_MIN_BYTES, LIMITS.CHUNK_MAX_BYTES];
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < min || chunkBytes > max) {
    throw new AshlarError("INVALID_ARGUMENT", `a chunk size is a whole number of bytes from ${min} to ${max}`, {
      details: { chunkBytes: String(chunkBytes) },
    });
  }
  const cutter: ChunkCutter = Object.freeze({
    maxBytes: chunkBytes,
    cut: (buffered: Uint8Array, ended: boolean) =>
      buffered.byteLength >= chunkBytes ? chunkBytes : ended ? buffered.byteLength : undefined,
  });
  return Object.freeze({ name: `fixed(${chunkBytes})`, start: () => cutter });
}
