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
    async examineObjects() {
      const objects = [...state.buckets.values()].flatMap((bucket) =>
        [...bucket.objects.values()].map(({ info, manifestId }) => {
          const { bucket, key, objectVersion, sizeBytes } = info;
          return { bucket, key, objectVersion, sizeBytes, manifestId };
        }),
      );
      return { objects };
    },
    examineManifests: async () => ({ problems: [] }),
    async listChunkRows() {
      const ordered = [...state.chunks].sort(([a], [b]) => (a < b ? -1 : 1));
      return { rows: ordered.map(([, { chunkId, referenceCount }]) => ({ chunkId, referenceCount })) };
    },
    async manifestOwners({ manifestId, limit }) {
      const rows = [...state.buckets.values()].flatMap(({ objects }) => [...objects.values()]);
      const owners = rows.filter((row) => row.manifestId === manifestId).slice(0, limit);
      return owners.map(({ info: { bucket, key } }) => ({ manifestId, bucket, key }));
    },
    chunkCounts: async (chunkIds) => chunkIds.map((chunkId) => state.chunks.get(encodeHex(chunkId))?.referenceCount),
  };
}
