import { AshlarError } from "../errors/index.ts";
import { bytesEqual, type Digest, encodeHex } from "../hash/digest.ts";
import type { Hasher } from "../hash/index.ts";
import * as LIMITS from "../limit-values.ts";
import type {
  CallOptions,
  ChunkLocations,
  CollectionQueue,
  Layout,
  MetadataExamination,
  MissedCopy,
  RepairQueue,
} from "../ports/index.ts";
import type { StoreProblem } from "./examine-store.ts";
import { walkSegments } from "./named-chunks.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** What {@link examineChunks} takes. */
export interface ExamineChunksOptions extends CallOptions {
  readonly metadata: Pick<MetadataExamination, "listChunkRows" | "listSegments" | "manifestOwners" | "chunkCounts"> &
    Pick<CollectionQueue, "knowsChunks"> &
    Pick<ChunkLocations, "settledLayouts"> &
    Pick<RepairQueue, "queueRepairs">;
  readonly topology: Pick<Topology, "allStores" | "view">;
  readonly hasher: Pick<Hasher, "digest">;
  /** Whether copies that are missing or damaged are queued for repair. Nothing is deleted in either case. Default false. */
  readonly queuesRepairs?: boolean | undefined;
  /** Called before each read with how many bytes the last ones had; waits to keep to a rate. Default: reads as fast as it can. */
  readonly pace?: ((sizeBytes: number) => Promise<void>) | undefined;
  /** Called with each object whose chunks are hurt; the walk waits for it. */
  readonly onProblem: (problem: StoreProblem) => Promise<void> | void;
  readonly onProgress?: ((progress: ChunksExamined) => void) | undefined;
}

/** What was examined, and what was found. A copy is a chunk on one node. */
export interface ChunksExamined {
  /** Chunks that something names. */
  readonly chunkCount: number;
  readonly copiesRead: number;
  readonly bytesRead: number;
  readonly copiesMissing: number;
  readonly copiesDamaged: number;
  /** Copies on nodes that are away or did not answer. */
  readonly copiesNotAsked: number;
  readonly repairsQueued: number;
  /** Files of chunks that no row knows, on the nodes that answered. The collector deletes them when no upload can need them any more. */
  readonly orphanCount: number;
  readonly orphanBytes: number;
  /** Nodes that were not asked, or failed meanwhile. */
  readonly nodesAway: readonly string[];
  /** Copies that are missing or damaged, by node. */
  readonly badCopies: Readonly<Record<string, number>>;
}

/** Chunk rows of one page. */
const ROWS = 256;
/** Copies that are read at once: one node hashes while another sends. Memory: so many chunks. */
const READS_AT_ONCE = 4;
/** Hurt chunks whose objects are looked for; of more, only the number is reported. */
const HURT_MAX = 10_000;

type Counts = { -readonly [Name in keyof ChunksExamined]: ChunksExamined[Name] };

interface Examination extends ExamineChunksOptions {
  readonly counts: Counts & { nodesAway: string[]; badCopies: Record<string, number> };
  readonly stores: ReadonlyMap<string, NamedStore>;
  /** Nodes that failed: asked no more, because each call would wait as long again. */
  readonly away: Set<string>;
  /** By chunk in hex: what its objects are told. */
  readonly hurt: Map<string, StoreProblem["copies"]>;
}

/**
 * Reads every copy of every chunk that something names and compares it with its digest; counts files that no row knows. A copy is expected where the layout
 * of the chunk's row places it, unless the repair queue knows already that it is missing. May run while the store is in use: a copy that is not there is
 * looked for again before it is called missing. Reads all bytes; deletes nothing.
 *
 * Memory: a page of rows, four chunks, and 10,000 hurt chunks.
 */
export async function examineChunks(options: ExamineChunksOptions): Promise<ChunksExamined> {
  const { metadata, topology, signal } = options;
  const stores = new Map((await topology.allStores({ signal })).map((store) => [store.nodeId, store]));
  const counts: Examination["counts"] = {
    ...{ chunkCount: 0, copiesRead: 0, bytesRead: 0, copiesMissing: 0, copiesDamaged: 0, copiesNotAsked: 0 },
    ...{ repairsQueued: 0, orphanCount: 0, orphanBytes: 0, nodesAway: [], badCopies: {} },
  };
  const examination: Examination = { ...options, counts, stores, away: new Set(), hurt: new Map() };
  let hurtMore = 0;
  let cursor: string | undefined;
  do {
    const page = await metadata.listChunkRows({ cursor, limit: ROWS }, { signal });
    const ids = page.rows.filter(({ referenceCount }) => referenceCount > 0).map(({ chunkId }) => chunkId);
    for (const [id, copies] of await examinePage(examination, ids)) {
      if (examination.hurt.size < HURT_MAX) examination.hurt.set(id, copies);
      else hurtMore++;
    }
    options.onProgress?.(counts);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  await countOrphans(examination);
  await nameObjects(examination);
  if (hurtMore > 0) await options.onProblem({ what: `${hurtMore} more chunks lack good copies`, lacksChunks: true });
  counts.nodesAway = [...examination.away].sort();
  return counts;
}

/** One chunk, and where its copies are expected. */
interface Expected {
  readonly chunkId: Digest;
  /** Empty if the layouts are not known: then every store is one. */
  readonly nodeIds: readonly string[];
  /** Whether each of these nodes must have its copy. False: a copy is known to be missing already, or copies are moving. */
  readonly isSettled: boolean;
}

/** @returns the hurt chunks of the page, in hex, with how badly. */
async function examinePage(
  examination: Examination,
  chunkIds: readonly Digest[],
): Promise<ReadonlyArray<readonly [string, StoreProblem["copies"]]>> {
  const { counts } = examination;
  const layouts = await layoutsOf(examination);
  const expected = await expectedCopies(examination, chunkIds, layouts);
  counts.chunkCount += chunkIds.length;
  const hurt: (readonly [string, StoreProblem["copies"]])[] = [];
  const bad: MissedCopy[] = [];
  const queue = expected.values();
  const lane = async (): Promise<void> => {
    for (const chunk of queue) {
      const found = await examineCopies(examination, chunk);
      for (const nodeId of found.badNodeIds) {
        counts.badCopies[nodeId] = (counts.badCopies[nodeId] ?? 0) + 1;
        const layoutVersions = placing(examination, layouts, chunk.chunkId, nodeId);
        if (layoutVersions.length > 0) bad.push({ chunkId: chunk.chunkId, nodeId, layoutVersions });
      }
      if (found.copies !== undefined) hurt.push([encodeHex(chunk.chunkId), found.copies]);
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, lane));
  if (examination.queuesRepairs === true) {
    for (let from = 0; from < bad.length; from += LIMITS.LIST_LIMIT_MAX) {
      const some = bad.slice(from, from + LIMITS.LIST_LIMIT_MAX);
      counts.repairsQueued += await examination.metadata.queueRepairs(some, { signal: examination.signal });
    }
  }
  return hurt;
}

async function layoutsOf({ topology }: Examination): Promise<readonly Layout[]> {
  return (await topology.view?.layoutsInUse()) ?? [];
}

/** Versions of the layouts in use that place a chunk on a node. */
function placing(
  { topology: { view } }: Examination,
  layouts: readonly Layout[],
  chunkId: Digest,
  nodeId: string,
): readonly number[] {
  return layouts
    .filter((layout) => view?.placementOf(layout).nodesOf(chunkId).includes(nodeId))
    .map(({ layoutVersion }) => layoutVersion);
}

async function expectedCopies(
  { metadata, topology: { view }, stores, signal }: Examination,
  chunkIds: readonly Digest[],
  layouts: readonly Layout[],
): Promise<readonly Expected[]> {
  if (view === undefined || layouts.length === 0)
    return chunkIds.map((chunkId) => ({ chunkId, nodeIds: [...stores.keys()], isSettled: true }));
  const settled = await metadata.settledLayouts(chunkIds, { signal });
  return chunkIds.map((chunkId, index) => {
    const layout = layouts.find(({ layoutVersion }) => layoutVersion === settled[index]);
    if (layout !== undefined) return { chunkId, nodeIds: view.placementOf(layout).nodesOf(chunkId), isSettled: true };
    const nodeIds = new Set(layouts.flatMap((each) => [...view.placementOf(each).nodesOf(chunkId)]));
    return { chunkId, nodeIds: [...nodeIds], isSettled: false };
  });
}

type CopyState = "good" | "absent" | "damaged" | "away";

async function examineCopies(
  examination: Examination,
  { chunkId, nodeIds, isSettled }: Expected,
): Promise<{ readonly badNodeIds: readonly string[]; readonly copies: StoreProblem["copies"] }> {
  const { counts } = examination;
  const states = new Map<string, CopyState>();
  for (const nodeId of nodeIds) states.set(nodeId, await readCopy(examination, nodeId, chunkId));
  const of = (wanted: CopyState): readonly string[] => nodeIds.filter((nodeId) => states.get(nodeId) === wanted);
  const goodCount = of("good").length;
  // Of a chunk whose copies are known not to be everywhere, one that is absent is nothing new, as long as another is good.
  const absent = isSettled || goodCount === 0 ? of("absent") : [];
  const damaged = of("damaged");
  const away = of("away");
  // It may have been deleted, or its copies moved, since the row was read.
  const isStill = absent.length === 0 || (await isStillWanted(examination, { chunkId, nodeIds: absent }));
  const missing = isStill ? absent : [];
  counts.copiesMissing += missing.length;
  counts.copiesDamaged += damaged.length;
  counts.copiesNotAsked += away.length;
  const badNodeIds = [...missing, ...damaged];
  if (goodCount > 0) return { badNodeIds, copies: goodCount === 1 && badNodeIds.length > 0 ? "at risk" : undefined };
  if (away.length > 0) return { badNodeIds, copies: "unreachable" };
  return { badNodeIds, copies: badNodeIds.length > 0 ? "lost" : undefined };
}

/** Whether a chunk that was not found is still named, and still is not there. */
async function isStillWanted(
  { metadata, stores, signal }: Examination,
  { chunkId, nodeIds }: { readonly chunkId: Digest; readonly nodeIds: readonly string[] },
): Promise<boolean> {
  for (const nodeId of nodeIds) {
    // Whoever does not answer now did a moment ago, and had no copy.
    const there = await stores
      .get(nodeId)
      ?.store.hasChunks([chunkId], { claim: false, signal })
      .catch(() => undefined);
    if (there?.[0] !== undefined) return false;
  }
  const [count] = await metadata.chunkCounts([chunkId], { signal });
  return count !== undefined && count > 0;
}

async function readCopy(examination: Examination, nodeId: string, chunkId: Digest): Promise<CopyState> {
  const { stores, away, counts, hasher, pace, signal } = examination;
  const named = stores.get(nodeId);
  if (named === undefined || !named.available) away.add(nodeId);
  if (named === undefined || away.has(nodeId)) return "away";
  try {
    const bytes = await named.store.getChunk(chunkId, { signal });
    if (bytes === undefined) return "absent";
    counts.copiesRead++;
    counts.bytesRead += bytes.byteLength;
    const isGood = bytesEqual(await hasher.digest(bytes), chunkId);
    await pace?.(bytes.byteLength);
    return isGood ? "good" : "damaged";
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (signal?.aborted === true) throw error;
    if (error.code === "CHUNK_CORRUPT") return "damaged";
    if (!error.retryable && error.code !== "UNAUTHENTICATED") throw error;
    away.add(nodeId);
    return "away";
  }
}

async function countOrphans({ metadata, stores, away, counts, signal, onProgress }: Examination): Promise<void> {
  for (const { nodeId, store, available } of stores.values()) {
    if (!available || away.has(nodeId)) continue;
    let cursor: string | undefined;
    try {
      do {
        const page = await store.listChunks({ cursor, limit: LIMITS.LIST_LIMIT_MAX, signal });
        const known = await metadata.knowsChunks(
          page.chunks.map(({ chunkId }) => chunkId),
          { signal },
        );
        for (const [index, { sizeBytes }] of page.chunks.entries()) {
          if (known[index] === true) continue;
          counts.orphanCount++;
          counts.orphanBytes += sizeBytes;
        }
        onProgress?.(counts);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (signal?.aborted === true || !error.retryable) throw error;
      away.add(nodeId);
    }
  }
}

const TEXTS: Readonly<Record<NonNullable<StoreProblem["copies"]>, string>> = {
  lost: "no good copy was found of",
  unreachable: "no good copy was found on the nodes that answer of",
  "at risk": "one good copy was found of",
};

/** One pass over all manifests: which objects name the hurt chunks. */
async function nameObjects({ metadata, hurt, onProblem, signal }: Examination): Promise<void> {
  if (hurt.size === 0) return;
  /** By manifest: how many hurt chunks of each kind, and the first. */
  const found = new Map<string, Map<string, { count: number; readonly first: string }>>();
  for await (const { manifestId, chunks } of walkSegments(metadata, { signal })) {
    for (const { chunkId } of chunks ?? []) {
      const id = encodeHex(chunkId);
      const copies = hurt.get(id);
      if (copies === undefined) continue;
      const kinds = found.get(manifestId) ?? new Map<string, { count: number; readonly first: string }>();
      const kind = kinds.get(copies) ?? { count: 0, first: id };
      kind.count++;
      found.set(manifestId, kinds.set(copies, kind));
    }
  }
  for (const [manifestId, kinds] of found) {
    const owners = await metadata.manifestOwners({ manifestId, limit: LIMITS.LIST_LIMIT_MAX }, { signal });
    for (const [copies, { count, first }] of kinds) {
      const problem = {
        what: `${TEXTS[copies as keyof typeof TEXTS]} ${count} of its chunks, the first ${first}`,
        copies: copies as NonNullable<StoreProblem["copies"]>,
      };
      // An upload that is not complete, or an object that was deleted.
      if (owners.length === 0) await onProblem({ ...problem, what: `manifest ${manifestId}: ${problem.what}` });
      for (const { bucket, key } of owners) await onProblem({ ...problem, bucket, key });
    }
  }
}
