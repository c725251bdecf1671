import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkCopies, ManifestSegment, MetadataExamination } from "@ashlar/sdk/ports";
import { copiesOfChunk, createCopiesTally } from "../../internal/metadata/copies.ts";
import { nodeState } from "../../internal/metadata/node-state.ts";
import { placementUnder } from "../../internal/metadata/replicas-under.ts";
import { repairKey } from "./chunk-rows.ts";
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
    async countCopies({ cursor = "", limit }) {
      const ids = [...state.chunks.keys()].filter((id) => id > cursor).sort();
      const page = ids.slice(0, limit);
      const tally = createCopiesTally();
      for (const id of page) {
        const copies = (state.chunks.get(id)?.referenceCount ?? 0) > 0 ? copiesIn(state, id) : undefined;
        if (copies !== undefined) tally.add(copies, 1);
      }
      return tally.page(ids.length > limit ? page.at(-1) : undefined);
    },
    copiesOf: async (chunkIds) => chunkIds.map((chunkId) => copiesIn(state, encodeHex(chunkId))),
    chunkCounts: async (chunkIds) => chunkIds.map((chunkId) => state.chunks.get(encodeHex(chunkId))?.referenceCount),
  };
}

function copiesIn(state: MemoryState, chunkHex: string): ChunkCopies | undefined {
  const row = state.chunks.get(chunkHex);
  const layout = state.layouts.find(({ layoutVersion }) => layoutVersion === row?.layoutVersion);
  if (row === undefined || layout === undefined) return undefined;
  const nowMs = state.clock.nowMs();
  const holders = [...state.nodes.values()].map((node) => {
    const isWalked = node.lostDisk !== undefined && !node.lostDisk.isQueued;
    const lostCursor = isWalked ? node.lostCursor : undefined;
    return { nodeId: node.nodeId, isUp: nodeState(node, nowMs) === "up", lostCursor };
  });
  const missing = holders
    .filter(({ nodeId }) => state.repairs.has(`${chunkHex} ${nodeId}`))
    .map(({ nodeId }) => nodeId);
  const standIns = missing.flatMap((nodeId) => state.repairs.get(repairKey(chunkHex, nodeId))?.standInId ?? []);
  const place = {
    ...{ chunkId: row.chunkId, chunkHex, placement: placementUnder(layout) },
    ...{ missing: new Set(missing), standIns: new Set(standIns) },
  };
  return copiesOfChunk(place, new Map(holders.map((holder) => [holder.nodeId, holder])));
}
