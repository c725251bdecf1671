import type { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import type { CallOptions, ChunkStore, Layout } from "../ports/index.ts";
import type { Placement } from "../ring/index.ts";

/** A chunk store under the name of its node. */
export interface NamedStore {
  readonly nodeId: string;
  readonly store: ChunkStore;
  /** False if the node is known to be down or stopped: it is asked last and never waited for. */
  readonly available: boolean;
  /** Not every layout in use names the node for the chunk, so it may lack the copy: copies move after a change of the layout. */
  readonly mayLack?: boolean | undefined;
  /** No layout in use names the node for the chunk: it has a copy only if it stood in for another node, so an absent one is no news. */
  readonly isStandIn?: boolean | undefined;
}

/** Where one chunk goes or lies. */
export interface ChunkPlacement {
  /** The layout that said so; 0 for a single store. */
  readonly layoutVersion: number;
  /** In preference order; never empty. */
  readonly stores: readonly NamedStore[];
  /** Where copies go when too few of `stores` can take theirs; best first, at most STAND_INS_MAX. Absent: nowhere. */
  readonly standIns?: (() => readonly NamedStore[]) | undefined;
}

/** Options of {@link Topology.readCandidates}. */
export interface CandidateOptions extends CallOptions {
  /** Whether nodes are wanted, too, that may have stood in for others. Default false. */
  readonly standIns?: boolean | undefined;
}

/** The layouts of a cluster as one process sees them, and where each puts chunks. */
export interface ClusterView {
  /** Newest first. */
  layoutsInUse(): Promise<readonly Layout[]>;
  /** Made at the first call and kept, for every layout in use, and for as many others as uploads may have begun under. */
  readonly placementOf: (layout: Layout) => Placement;
}

/** The stores that exist now and which of them holds what. Cheap to ask; refreshes itself in the background. */
export interface Topology {
  /** Placement of new chunks. @throws {AshlarError} NODE_UNAVAILABLE if there is no node at all. */
  writePlacement(chunkId: Digest, options?: CallOptions): Promise<ChunkPlacement>;
  /** Stores to read from, best first: those that most layouts in use name, and among these the newest layout's. */
  readCandidates(chunkId: Digest, options?: CandidateOptions): Promise<readonly NamedStore[]>;
  /** Every store there is now, for sweeps: the view is renewed first if it is old. */
  allStores(options?: CallOptions): Promise<readonly NamedStore[]>;
  /** Acknowledgements that a write needs among `placedCount` stores: the majority unless configured. */
  writeQuorum(placedCount: number): number;
  /** Asks for a fresh view before the next answer, after a node failed or a layout was stale. */
  invalidate(): void;
  /** The layouts behind it. The whole process shares this view, so that each table is made once. Absent if there are none, as for a single store. */
  readonly view?: ClusterView | undefined;
  /** Why the last renewal of the view failed, so that an old one is in use; `undefined` if it did not fail, as for a topology without this method. */
  viewFailure?(): AshlarError | undefined;
  close(): Promise<void>;
}

/** The topology of one store: everything lies there, one acknowledgement is enough. Closing it closes the store. */
export function singleStoreTopology(store: ChunkStore, nodeId: string = "local"): Topology {
  const stores: readonly NamedStore[] = Object.freeze([{ nodeId, store, available: true }]);
  const placement = Object.freeze({ layoutVersion: 0, stores });
  return {
    writePlacement: async () => placement,
    readCandidates: async () => stores,
    allStores: async () => stores,
    writeQuorum: () => 1,
    invalidate: () => {},
    close: () => store.close(),
  };
}
