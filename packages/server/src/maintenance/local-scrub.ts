import { examineStore } from "@ashlar/sdk/engine";
import type { ChunkStore } from "@ashlar/sdk/ports";
import { createScrub, type Scrub } from "../scrub/index.ts";
import type { MaintenanceOptions } from "./create-maintenance.ts";

/** Objects that lack chunks and are logged one by one after damage was found. */
const LOGGED_MAX = 100;

/**
 * The check of the chunks of one local store, which holds the only copy of each. Objects that lost a chunk are logged by name. In a cluster every node
 * checks its own chunks.
 */
export function localScrub(options: MaintenanceOptions): Pick<Scrub, "start" | "stop"> {
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
  { metadata, logger }: MaintenanceOptions,
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
