import type { ChunkStoreStats } from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";

/** Creates the metrics of a node's store. The function that it returns sets them. */
export function storeGauges(metrics: Metrics): (stats: ChunkStoreStats, isFull: boolean) => void {
  const gauge = (name: string, help: string): { set(value: number): void } => metrics.gauge({ name, help });
  const chunkCount = gauge("ashlar_node_chunks", "Chunks held");
  const usedBytes = gauge("ashlar_node_used_bytes", "Payload bytes of all chunks");
  const freeBytes = gauge("ashlar_node_disk_free_bytes", "Free bytes of the data disk");
  const totalBytes = gauge("ashlar_node_disk_total_bytes", "Size of the data disk");
  const badEntries = gauge("ashlar_node_bad_entries", "Entries of the data folder that were passed over");
  const readOnly = gauge("ashlar_node_read_only", "1 while the disk is full");
  const damaged = metrics.counter({
    name: "ashlar_chunks_damaged_total",
    help: "Copies of chunks that were found damaged: on a node by its store, on a gateway by its readers",
  });
  // From the start, because Prometheus sees no increase in a counter that begins with 1.
  damaged.add(0);
  let damagedCount = 0;
  return (stats, isFull) => {
    const found = stats.damagedCount ?? 0;
    damaged.add(Math.max(0, found - damagedCount));
    damagedCount = found;
    chunkCount.set(stats.chunkCount);
    usedBytes.set(stats.bytesUsed);
    freeBytes.set(stats.bytesFree ?? 0);
    totalBytes.set(stats.bytesTotal ?? 0);
    badEntries.set(stats.badEntries?.length ?? 0);
    readOnly.set(isFull ? 1 : 0);
  };
}
