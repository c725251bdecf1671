import { AshlarError } from "../errors/index.ts";
import { type Digest, encodeHex } from "../hash/digest.ts";
import type { CallOptions, ChunkLocations, ListedChunk, Logger } from "../ports/index.ts";
import { levelOfAnswer } from "./level-of-answer.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** What {@link findStaleCopies} takes. */
export interface StaleCopiesOptions extends CallOptions {
  readonly metadata: Pick<ChunkLocations, "settledLayouts">;
  readonly topology: Pick<Topology, "allStores" | "view">;
  readonly logger: Logger;
}

/**
 * Copies on a node that need not be there any more, because the layout has changed since. Neither the layout of the chunk's row nor the newest one names
 * the node; no copy of the chunk is known to be missing; and every node that the row's layout names is up and says that it has its copy. So a copy
 * goes only while all the others are there.
 *
 * @param listed what the node says that it holds: at most 1,000 chunks whose rows are known.
 */
export async function findStaleCopies(
  { metadata, topology, logger, signal }: StaleCopiesOptions,
  target: NamedStore,
  listed: readonly ListedChunk[],
): Promise<readonly Digest[]> {
  const { view } = topology;
  const layouts = (await view?.layoutsInUse()) ?? [];
  const [newest] = layouts;
  if (view === undefined || newest === undefined) return [];
  const placement = view.placementOf(newest);
  const strangers = listed.filter(({ chunkId }) => !placement.nodesOf(chunkId).includes(target.nodeId));
  if (strangers.length === 0) return [];
  const versions = await metadata.settledLayouts(
    strangers.map(({ chunkId }) => chunkId),
    { signal },
  );
  /** Where the copies of each chunk are that are needed. */
  const holders = new Map<Digest, readonly string[]>();
  strangers.forEach(({ chunkId }, index) => {
    // A layout that this view does not know came after it: the next collection looks again.
    const layout = layouts.find(({ layoutVersion }) => layoutVersion === versions[index]);
    const nodeIds = layout === undefined ? [] : view.placementOf(layout).nodesOf(chunkId);
    if (nodeIds.length > 0 && !nodeIds.includes(target.nodeId)) holders.set(chunkId, nodeIds);
  });
  const unsure = new Set<Digest>();
  const stores = await topology.allStores({ signal });
  for (const nodeId of new Set([...holders.values()].flat())) {
    const ids = [...holders].filter(([, nodeIds]) => nodeIds.includes(nodeId)).map(([chunkId]) => chunkId);
    const present = await presentOn(
      stores.find((store) => store.nodeId === nodeId),
      ids,
      { logger, signal },
    );
    for (const chunkId of ids) if (!present.has(encodeHex(chunkId))) unsure.add(chunkId);
  }
  return [...holders.keys()].filter((chunkId) => !unsure.has(chunkId));
}

/** @returns the ids, in hex, of the chunks that the node says that it has. */
async function presentOn(
  holder: NamedStore | undefined,
  chunkIds: readonly Digest[],
  { logger, signal }: Pick<StaleCopiesOptions, "logger" | "signal">,
): Promise<ReadonlySet<string>> {
  if (holder?.available !== true) return new Set();
  try {
    const found = await holder.store.hasChunks(chunkIds, { claim: false, signal });
    return new Set(chunkIds.filter((_, index) => found[index] !== undefined).map(encodeHex));
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (signal?.aborted) throw error;
    const level = levelOfAnswer(error);
    logger[level]({ err: error, nodeId: holder.nodeId }, "a node did not say which copies it has; older copies stay");
    return new Set();
  }
}
