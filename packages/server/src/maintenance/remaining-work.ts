import type { Topology } from "@ashlar/sdk/engine";
import type { CallOptions, ChunkLocations, Clock, RemainingWork, RepairQueue } from "@ashlar/sdk/ports";

/** What {@link remainingWorkCounter} takes. */
export interface RemainingWorkOptions {
  readonly metadata: Pick<ChunkLocations, "countLayoutUse"> & Pick<RepairQueue, "countRepairs">;
  readonly topology: Pick<Topology, "allStores" | "view">;
  readonly clock: Pick<Clock, "monotonicMs" | "nowMs">;
  /** Least time between two counts, in ms; default COUNT_INTERVAL_MS. */
  readonly intervalMs?: number | undefined;
}

/** Counts what background work has still to do. Every gateway counts for itself, so each tells the work of the whole cluster. */
export interface RemainingWorkCounter {
  /** Counts, unless the last try is new enough. @param call.always true: counts anyway. @returns the last count. */
  count(call: CallOptions & { readonly always?: boolean }): Promise<RemainingWork | undefined>;
  /** The last count; `undefined` before the first. */
  last(): RemainingWork | undefined;
}

/** The counts read over the rows of chunks while a layout changes, and over the repair queue: up to half a second for a million of them. */
const COUNT_INTERVAL_MS = 15_000;
/** A count that took long is repeated after thirty times as long: each gateway counts, and it must not be all that a database reads. */
const PAUSE_SHARE = 30;
/** The rate is that of the last ten minutes: long enough for several rounds, short enough to follow what happens. */
const RATE_WINDOW_MS = 10 * 60_000;
/** The window at the counts' shortest interval, so that no clock makes the list grow. */
const SAMPLES_MAX = 64;

/** One count, by the monotonic clock. */
interface Sample {
  readonly atMs: number;
  readonly layoutVersion: number;
  readonly chunksBehind: number;
  readonly bytesWaiting: number;
}

export function remainingWorkCounter(options: RemainingWorkOptions): RemainingWorkCounter {
  const { clock, intervalMs = COUNT_INTERVAL_MS } = options;
  let last: RemainingWork | undefined;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let samples: readonly Sample[] = [];
  return {
    last: () => last,
    async count({ signal, always = false }) {
      const startedAtMs = clock.monotonicMs();
      if (!always && startedAtMs < notBeforeMs) return last;
      try {
        const found = await countNow(options, signal);
        const atMs = clock.monotonicMs();
        samples = withSample(samples, { atMs, ...found.sample });
        const leftMs = found.waitsForNode ? undefined : timeLeft(samples);
        const countedAtMs = Math.round(clock.nowMs());
        const end = leftMs === undefined ? {} : { expectedEndAtMs: countedAtMs + leftMs };
        last = { ...found.work, countedAtMs, ...end };
        return last;
      } finally {
        notBeforeMs = startedAtMs + Math.max(intervalMs, (clock.monotonicMs() - startedAtMs) * PAUSE_SHARE);
      }
    },
  };
}

async function countNow(
  { metadata, topology }: RemainingWorkOptions,
  signal: AbortSignal | undefined,
): Promise<{
  readonly work: Omit<RemainingWork, "countedAtMs" | "expectedEndAtMs">;
  readonly sample: Omit<Sample, "atMs">;
  /** Something of it cannot be done before a node is back: nobody knows when that is. */
  readonly waitsForNode: boolean;
}> {
  const layouts = (await topology.view?.layoutsInUse()) ?? [];
  const layoutVersion = layouts[0]?.layoutVersion ?? 0;
  const uses = layouts.length > 1 ? await metadata.countLayoutUse({ signal }) : [];
  const chunksBehind = uses
    .filter((use) => use.layoutVersion < layoutVersion)
    .reduce((sum, { chunkCount }) => sum + chunkCount, 0);
  const nodes = await metadata.countRepairs({ signal });
  const sum = (member: "count" | "sizeBytes" | "failingCount"): number =>
    nodes.reduce((total, node) => total + node[member], 0);
  const copyBytesWaiting = sum("sizeBytes");
  const stores = chunksBehind + nodes.length === 0 ? [] : await topology.allStores({ signal });
  const away = new Set(stores.filter(({ available }) => !available).map(({ nodeId }) => nodeId));
  const placing = chunksBehind === 0 ? [] : (layouts[0]?.nodes ?? []).filter(({ weight }) => weight > 0);
  return {
    waitsForNode: [...nodes, ...placing].some(({ nodeId }) => away.has(nodeId)),
    work: {
      ...{ layoutsInUse: layouts.length, chunksBehind },
      ...{ copiesWaiting: sum("count"), copyBytesWaiting, copiesFailing: sum("failingCount") },
    },
    sample: { layoutVersion, chunksBehind, bytesWaiting: copyBytesWaiting },
  };
}

/** A change of the layout begins anew: it puts more chunks behind than there were. */
function withSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  return [
    ...samples.filter(
      ({ atMs, layoutVersion }) => layoutVersion === sample.layoutVersion && sample.atMs - atMs <= RATE_WINDOW_MS,
    ),
    sample,
  ].slice(-SAMPLES_MAX);
}

/**
 * How long the work takes at the rate of the last counts, in ms; `undefined` if nothing is left, or if what is left did not become less. While chunks
 * are behind the newest layout, these count: their copies are queued in parts, so what waits in the queue does not say how much there is. Bytes are
 * counted from when there were most, because others may come at any time.
 */
export function timeLeft(samples: readonly Sample[]): number | undefined {
  const newest = samples.at(-1);
  if (newest === undefined) return undefined;
  const what = newest.chunksBehind > 0 ? "chunksBehind" : "bytesWaiting";
  const left = newest[what];
  if (left === 0) return undefined;
  const most = samples.reduce((found, sample) => (sample[what] >= found[what] ? sample : found));
  const done = most[what] - left;
  const durationMs = newest.atMs - most.atMs;
  return done > 0 && durationMs > 0 ? Math.ceil((left / done) * durationMs) : undefined;
}
