import { encodeHex } from "@ashlar/sdk/hash";
import type { ManifestSegment, MetadataExamination } from "@ashlar/sdk/ports";
import type { MemoryState } from "./state.ts";

/** Rows in memory do not rot; one page has all of them. */
export function memoryExamination(state: MemoryState): MetadataExamination {
  return {
    async listSegments() {
      const segments: ManifestSegment[] = [...state.manifests].map(([manifestId, { chunks }]) => ({
        manifestId,
        chunks,
      }));
      for (const [manifestId, { parts }] of state.uploads) {
        for (const { chunks } of parts.values()) segments.push({ manifestId, chunks });
      }
      for (const { manifestId, chunks } of state.released) {
        if (manifestId === undefined) segments.push({ manifestId: "", chunks });
      }
      return { segments };
    },
    chunkCounts: async (chunkIds) => chunkIds.map((chunkId) => state.chunks.get(encodeHex(chunkId))?.referenceCount),
  };
}
