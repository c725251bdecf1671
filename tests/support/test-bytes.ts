import { createSha256 } from "#platform";

/**
 * Bytes that look random and depend only on the seed and their position: any part of a long body can be made without the rest.
 *
 * @param offset where in the endless sequence of this seed the bytes begin; a multiple of 4.
 */
export function testBytes(sizeBytes: number, seed: number = 1, offset: number = 0): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  const first = offset >>> 2;
  const salt = Math.imul(seed, 0x9e3779b1);
  for (let index = 0; index < words.length; index++) {
    let mixed = Math.imul((first + index) ^ salt, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    words[index] = mixed ^ (mixed >>> 16);
  }
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** A body of `sizeBytes` in slices, made as it is read. */
export async function* testStream(
  sizeBytes: number,
  options: { readonly seed?: number; readonly sliceBytes?: number } = {},
): AsyncGenerator<Uint8Array> {
  const sliceBytes = options.sliceBytes ?? 64 * 1024;
  for (let offset = 0; offset < sizeBytes; offset += sliceBytes) {
    yield testBytes(Math.min(sliceBytes, sizeBytes - offset), options.seed, offset);
  }
}

/** SHA-256 in hex. */
export function sha256Hex(bytes: Uint8Array): string {
  const hash = createSha256();
  hash.update(bytes);
  return hash.hex();
}

/** SHA-256 in hex and length of everything that a source yields. */
export async function digestOf(source: AsyncIterable<Uint8Array>): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createSha256();
  let sizeBytes = 0;
  for await (const slice of source) {
    hash.update(slice);
    sizeBytes += slice.byteLength;
  }
  return { sha256: hash.hex(), sizeBytes };
}

/** Everything that a source yields, in one array. */
export async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const slices: Uint8Array[] = [];
  for await (const slice of source) slices.push(slice);
  const bytes = new Uint8Array(slices.reduce((sum, slice) => sum + slice.byteLength, 0));
  let offset = 0;
  for (const slice of slices) {
    bytes.set(slice, offset);
    offset += slice.byteLength;
  }
  return bytes;
}
