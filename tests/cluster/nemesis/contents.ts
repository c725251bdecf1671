import { createHash } from "node:crypto";
import { KIB } from "@ashlar/sdk";
import { createSeededRandom } from "../../support/seeded-random.ts";
import { testBytes } from "../../support/test-bytes.ts";
import { ABSENT, GARBLED, type ValueId } from "./history.ts";

export const CHUNK_BYTES: number = 64 * KIB;
const CHUNKS_MAX = 10;
/** The last chunk is short by less than this, so it is longer than what lies inline: the same bytes written alone are the same chunk. */
const SHORT_MAX_BYTES = 30_000;
/** Chunks that many objects have in common. */
const COMMON_CHUNKS = 48;
const COMMON_SHARE = 0.6;
/** One write of so many is short enough to lie in the metadata. */
const INLINE_EVERY = 12;

/** The bytes of each write. They depend on the seed and the number of the write only, so nothing of them is kept. */
export interface Contents {
  bytesOf(value: ValueId): Uint8Array<ArrayBuffer>;
  /** Which of these writes the bytes belong to. */
  identify(bytes: Uint8Array, candidates: readonly ValueId[]): ValueId;
}

export function createContents(seed: number): Contents {
  const bytesOf = (value: ValueId): Uint8Array<ArrayBuffer> => {
    const random = createSeededRandom(Math.imul(seed + 1, 0x9e3779b1) ^ value);
    if (random.below(INLINE_EVERY) === 0) return testBytes(1 + random.below(20_000), (value << 4) + seed);
    const count = 1 + random.below(CHUNKS_MAX);
    const bytes = new Uint8Array(count * CHUNK_BYTES - random.below(SHORT_MAX_BYTES));
    for (let index = 0; index < count; index++) {
      // The first chunk is this write's alone, so all objects differ.
      const isCommon = random.fraction() < COMMON_SHARE && index > 0;
      const chunkSeed = isCommon ? 1 + random.below(COMMON_CHUNKS) : 1000 + value * CHUNKS_MAX + index;
      const offset = index * CHUNK_BYTES;
      bytes.set(testBytes(Math.min(CHUNK_BYTES, bytes.byteLength - offset), chunkSeed ^ (seed << 8)), offset);
    }
    return bytes;
  };
  return {
    bytesOf,
    identify(found, candidates) {
      const same = (value: ValueId): boolean => value !== ABSENT && Buffer.compare(bytesOf(value), found) === 0;
      return candidates.find(same) ?? GARBLED;
    },
  };
}

/** Hex of the chunks that a client cuts a body into. */
export function chunkIdsOf(bytes: Uint8Array): readonly string[] {
  const ids: string[] = [];
  for (let offset = 0; offset < bytes.byteLength; offset += CHUNK_BYTES)
    ids.push(
      createHash("sha256")
        .update(bytes.subarray(offset, offset + CHUNK_BYTES))
        .digest("hex"),
    );
  return ids;
}
