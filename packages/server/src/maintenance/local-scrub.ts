import { type ExamineOptions, examineStore, type Topology } from "@ashlar/sdk/engine";
import type { ChunkStore, Clock, Logger, Random } from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";
import { createScrub, type Scrub, type ScrubSettings } from "../scrub/index.ts";

/** What {@link localScrub} takes. */
export interface LocalScrubOptions extends ScrubSettings {
  readonly metadata: ExamineOptions["metadata"];
  /** The caller closes it, after the scrub has stopped. */
  readonly topology: Pick<Topology, "view" | "allStores">;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Objects that lack chunks and are logged one by one after damage was found. */
const LOGGED_MAX = 100;

/**
 * The check of the chunks of one local store, which holds the only copy of each. Objects that lost a chunk are logged by name. In a cluster every node
 * checks its own chunks.
 */
export function localScrub(options: LocalScrubOptions): Pick<Scrub, "start" | "stop"> {
  const { topology } = options;
  let starting: Promise<Scrub | undefined> | undefined;
  const begin = async (): Promise<Scrub | undefined> => {
    if (topology.view !== undefined) return undefined;
    const [only, ...others] = await topology.allStores();
    if (only === undefined || others.length > 0) return undefined;
    const { store } = only;
    const scrub = createScrub({ ...options, store, afterDamage: (signal) => nameHurtObjects(options, store, signal) });
    scrub.start();
    return scrub;
  };
  return {
    start() {
      starting ??= begin().catch((error: unknown) => {
        options.logger.warn({ err: error }, "the chunks are not checked: their store could not be asked");
        return undefined;
      });
    },
    async stop() {
      const scrub = await starting;
      starting = undefined;
      await scrub?.stop();
    },
  };
}

async function nameHurtObjects(
  { metadata, logger }: LocalScrubOptions,
  chunks: ChunkStore,
  signal: AbortSignal,
): Promise<void> {
  let hurt = 0;
  await examineStore({
    ...{ metadata, chunks, signal },
    onProblem: ({ what, bucket, key, lacksChunks }) => {
      if (lacksChunks && hurt++ < LOGGED_MAX) logger.error({ problem: what, bucket, key }, "an object has lost chunks");
    },
  });
  if (hurt > 0)
    logger.error({ objectCount: hurt }, "objects have lost chunks: put them again, or restore them from a backup");
}
