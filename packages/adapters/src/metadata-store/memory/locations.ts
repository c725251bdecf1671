import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkLocations, LayoutAdvance } from "@ashlar/sdk/ports";
import { layoutUnknown } from "../../internal/metadata/not-found.ts";
import { replicasUnder } from "../../internal/metadata/replicas-under.ts";
import { repairKey } from "./chunk-rows.ts";
import type { ChunkRow, MemoryState } from "./state.ts";

export function memoryLocations(state: MemoryState): ChunkLocations {
  const newestVersion = (): number => state.layouts.at(-1)?.layoutVersion ?? 0;
  return {
    async listOutdatedChunks({ cursor = "", limit }) {
      const ids = [...state.chunks.keys()].filter((id) => id > cursor).sort();
      const rows = ids.slice(0, limit).map((id) => state.chunks.get(id));
      const chunks = rows
        .filter(isPlaced)
        .filter((row) => row.layoutVersion < newestVersion())
        .map(({ chunkId, sizeBytes, layoutVersion, referenceCount }) => ({
          ...{ chunkId, sizeBytes, layoutVersion },
          ...(referenceCount > 0 ? {} : { isNamed: false as const }),
        }));
      return ids.length < limit ? { chunks } : { chunks, nextCursor: ids[limit - 1] };
    },
    advanceLayouts: async (advance) => advanceLayouts(state, advance),
    async settledLayouts(chunkIds) {
      const hurt = new Set([...state.repairs.values()].map((repair) => encodeHex(repair.chunkId)));
      const isWalking = [...state.nodes.values()].some(({ lostDisk }) => lostDisk?.isQueued === false);
      return chunkIds.map((chunkId) => {
        const row = state.chunks.get(encodeHex(chunkId));
        return isInUse(row) && !isWalking && !hurt.has(encodeHex(chunkId)) ? row.layoutVersion : undefined;
      });
    },
    async countLayoutUse() {
      const counts = new Map<number, number>();
      for (const row of state.chunks.values())
        if (isInUse(row)) counts.set(row.layoutVersion, (counts.get(row.layoutVersion) ?? 0) + 1);
      return [...counts]
        .map(([layoutVersion, chunkCount]) => ({ layoutVersion, chunkCount }))
        .sort((a, b) => b.layoutVersion - a.layoutVersion);
    },
  };
}

/** No collector has marked it, and a layout places it. */
function isPlaced(row: ChunkRow | undefined): row is ChunkRow {
  return row !== undefined && !row.collecting && row.layoutVersion > 0;
}

/** Something names it, too. */
const isInUse = (row: ChunkRow | undefined): row is ChunkRow => isPlaced(row) && row.referenceCount > 0;

function advanceLayouts(state: MemoryState, { layoutVersion, chunks }: LayoutAdvance): number {
  const layout = state.layouts.find((one) => one.layoutVersion === layoutVersion);
  if (layout === undefined) throw layoutUnknown(layoutVersion);
  let moved = 0;
  for (const { chunkId, layoutVersion: seen, isNamed = true } of chunks) {
    const id = encodeHex(chunkId);
    const row = state.chunks.get(id);
    if (!isPlaced(row) || row.layoutVersion !== seen || isNamed !== row.referenceCount > 0) continue;
    state.chunks.set(id, { ...row, layoutVersion });
    const placed = replicasUnder(layout, chunkId);
    for (const repair of [...state.repairs.values()]) {
      if (encodeHex(repair.chunkId) !== id) continue;
      const key = repairKey(id, repair.nodeId);
      if (placed.includes(repair.nodeId)) state.repairs.set(key, { ...repair, layoutVersion });
      else state.repairs.delete(key);
    }
    moved++;
  }
  return moved;
}
