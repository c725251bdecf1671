import { type Digest, webCryptoHasher } from "../hash/index.ts";

/** A chunk for a test. */
export interface TestChunk {
  readonly chunkId: Digest;
  readonly bytes: Uint8Array;
}

/**
 * Bytes that look random and are the same for the same seed and size (Mulberry32, one word at a time): they do not compress, do not repeat within
 * a chunk, and differ between seeds.
 */
export function testBytes(sizeBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(sizeBytes / 4) * 4);
  const view = new DataView(bytes.buffer);
  let state = (seed * 0x9e3779b1 + sizeBytes) | 0;
  for (let offset = 0; offset < bytes.byteLength; offset += 4) {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    view.setUint32(offset, (word ^ (word >>> 14)) >>> 0, true);
  }
  return bytes.subarray(0, sizeBytes);
}

/** {@link testBytes} with their digest. */
export async function testChunk(sizeBytes: number, seed: number): Promise<TestChunk> {
  const bytes = testBytes(sizeBytes, seed);
  return { chunkId: await webCryptoHasher.digest(bytes), bytes };
}

/** `count` different chunks of `sizeBytes` to `sizeBytes + count - 1` bytes. */
export function testChunks(count: number, sizeBytes: number, seed = 1): Promise<TestChunk[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => testChunk(sizeBytes + index, seed * 1000 + index)));
}
