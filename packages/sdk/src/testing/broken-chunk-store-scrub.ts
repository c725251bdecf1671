import { type Digest, encodeHex } from "../hash/index.ts";
import type { ScrubRecord } from "../ports/index.ts";
import type { BrokenChunkStore } from "./broken-chunk-store.ts";

const FOUND = "a damaged chunk is found, put aside and lost, until it is put again; its neighbours stay";

/** Faults in checking chunks where they lie. */
export const SCRUB_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "finds every chunk sound that it holds",
    caughtBy: FOUND,
    override: (sound) => ({
      async scrubChunk(chunkId) {
        const [found] = await sound.hasChunks([chunkId], { claim: false });
        return found === undefined ? { state: "absent", sizeBytes: 0 } : { state: "sound", sizeBytes: found.sizeBytes };
      },
    }),
  },
  {
    fault: "never says which chunks were put aside",
    caughtBy: FOUND,
    override: () => ({ lostChunks: async () => [] }),
  },
  {
    fault: "counts a chunk as lost that was put again",
    caughtBy: FOUND,
    override: (sound) => {
      const known = new Map<string, Digest>();
      return {
        async lostChunks(options) {
          for (const chunkId of await sound.lostChunks(options)) known.set(encodeHex(chunkId), chunkId);
          return [...known.values()];
        },
      };
    },
  },
  {
    fault: "knows only those that it put aside itself since it was opened",
    caughtBy: "a damaged chunk that a reader met is lost too, also after reopening",
    override: (sound) => {
      const found = new Set<string>();
      return {
        async scrubChunk(chunkId, options) {
          const answer = await sound.scrubChunk(chunkId, options);
          if (answer.state === "damaged") found.add(encodeHex(chunkId));
          return answer;
        },
        lostChunks: async (options) =>
          (await sound.lostChunks(options)).filter((chunkId) => found.has(encodeHex(chunkId))),
      };
    },
  },
  {
    fault: "takes a chunk that is gone for a damaged one",
    caughtBy: "a chunk that is not there, or was deleted, is absent and not damaged",
    override: (sound) => ({
      async scrubChunk(chunkId, options) {
        const answer = await sound.scrubChunk(chunkId, options);
        return answer.state === "absent" ? { state: "damaged", sizeBytes: 0, problem: "it is gone" } : answer;
      },
    }),
  },
  {
    fault: "claims what it checks",
    caughtBy: "a check claims nothing",
    override: (sound) => ({
      async scrubChunk(chunkId, options) {
        await sound.hasChunks([chunkId], { claim: true });
        return await sound.scrubChunk(chunkId, options);
      },
    }),
  },
  {
    fault: "reads as fast as it can, whatever the pace",
    caughtBy: "a check of a sound chunk reads all of it, at the pace that it is given, and changes nothing",
    override: (sound) => ({ scrubChunk: (chunkId, { signal } = {}) => sound.scrubChunk(chunkId, { signal }) }),
  },
  {
    fault: "forgets where a pass is when it is closed",
    caughtBy: "what is kept of a pass is there after reopening, and nothing is before the first time",
    override: () => {
      let kept: ScrubRecord | undefined;
      return {
        readScrubRecord: async () => kept,
        writeScrubRecord: async (record) => {
          kept = record;
        },
      };
    },
  },
];
