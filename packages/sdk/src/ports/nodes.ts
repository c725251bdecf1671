import type { Digest } from "../hash/index.ts";
import type { Layout } from "../ring/layout.ts";
import type { CallOptions } from "./chunk-store.ts";

/** What a node tells about itself when it registers. */
export interface NodeRegistration {
  readonly nodeId: string;
  /** Base URL under which gateways and direct clients reach it, without a trailing slash. */
  readonly url: string;
  /** Default: a new node is a zone of its own, a known node keeps its zone. */
  readonly zone?: string | undefined;
  /** Default 1 for a new node. Once the node is in the layout, only `changeLayout` changes its weight. */
  readonly weight?: number | undefined;
  /** Release of the node software. */
  readonly softwareVersion: string;
  /** Id of the folder that holds its chunks, made with the folder; a copy of the folder has the same id. Default: the folder is not compared. */
  readonly folderId?: string | undefined;
  /** Chunks in the folder now. Default: not compared with what the registry remembers. */
  readonly chunkCount?: number | undefined;
  /** Default false: a node whose folder lacks what the registry remembers is registered, and its copies are queued for repair. True: it is refused. */
  readonly refuseLostDisk?: boolean | undefined;
}

/**
 * How a folder differs from the one that the registry remembers. `emptied`: the same folder, or one whose id is not known, has no chunks any more;
 * `replaced`: another folder, without chunks; `other`: another folder, with chunks, such as a wrong mount or an earlier disk.
 */
export type LostDiskKind = "emptied" | "replaced" | "other";

/** A node that registered without what it held before. It is up, and repair restores its copies. */
export interface LostDisk {
  readonly kind: LostDiskKind;
  /** When it registered so, in ms since the Unix epoch on the database's clock. */
  readonly atMs: number;
  /** Chunks that it held by its last heartbeat before that. */
  readonly chunkCount: number;
  readonly bytesUsed: number;
  /** Whether every chunk that belongs there was queued for repair; else the walk over the chunk rows goes on. */
  readonly isQueued: boolean;
}

/** What the registry answers to a registration. */
export interface RegisteredNode {
  /** The newest one. */
  readonly layoutVersion: number;
  /** Copies that the node held are missing; since this registration, or still. */
  readonly lostDisk?: LostDisk | undefined;
}

/** What the registry answers to a heartbeat. */
export interface HeartbeatAnswer {
  /** The newest one. */
  readonly layoutVersion: number;
  /** Copies are still missing on the node since it lost its disk. Absent: none. */
  readonly hasLostDisk?: true | undefined;
}

/** What a node tells with each heartbeat. */
export interface NodeStats {
  readonly chunkCount: number;
  readonly bytesUsed: number;
  readonly bytesFree: number;
  readonly bytesTotal: number;
}

/** Tells the registry that the node is up. */
export interface Heartbeat {
  readonly nodeId: string;
  readonly stats: NodeStats;
  /**
   * Chunks whose copies the node put aside because they were damaged, and that it has not got back, up to DAMAGED_TOLD_MAX: those that belong there are
   * queued for repair. Telling one again does no harm. Default: none.
   */
  readonly damagedChunkIds?: readonly Digest[] | undefined;
}

/** `down`: missed HEARTBEAT_MISSED_MAX heartbeats; `stopped`: shut down in order, still in the layout. */
export type NodeState = "up" | "down" | "stopped";

/** A node as the registry knows it. */
export interface NodeRecord {
  readonly nodeId: string;
  readonly url: string;
  readonly zone?: string | undefined;
  readonly weight: number;
  readonly softwareVersion: string;
  /** Derived from `stopped` and the age of the last heartbeat when read, on the database's clock. */
  readonly state: NodeState;
  readonly registeredAtMs: number;
  readonly lastHeartbeatAtMs: number;
  readonly stats?: NodeStats | undefined;
  /** Present from the registration that lacked what the node held until the last copy is restored. */
  readonly lostDisk?: LostDisk | undefined;
}

/** What background work has still to do in a cluster, as a gateway last counted it. */
export interface RemainingWork {
  /** The newest layout, and older ones that some chunk still follows; more than 1 while copies move. */
  readonly layoutsInUse: number;
  /** Chunks that follow an older layout than the newest. They have all their copies where the older one placed them. */
  readonly chunksBehind: number;
  /** Copies that wait for repair: those that are missing, and while chunks are behind those that move. */
  readonly copiesWaiting: number;
  readonly copyBytesWaiting: number;
  /** Those of them that could not be made in several tries. */
  readonly copiesFailing: number;
  /** When this was counted, in ms since the Unix epoch on the gateway's clock. */
  readonly countedAtMs: number;
  /** When nothing will be left, at the rate of the last ten minutes. Absent: nothing is left, it did not become less, or some of it waits for a node that is away. */
  readonly expectedEndAtMs?: number | undefined;
}

/** The registered nodes and the layouts in use. */
export interface ClusterSnapshot {
  readonly nodes: readonly NodeRecord[];
  /** Newest first: the layout that writes use, then older ones that some chunk row still needs. Empty until the first node registers. */
  readonly layouts: readonly Layout[];
  /** Only from a gateway that does background work, after its first count. */
  readonly work?: RemainingWork | undefined;
}

/** The layouts under which an unfinished upload may have begun. */
export interface LayoutHistory {
  /**
   * The newest layout, then those that were the newest at some time in the last `forMs` ms. Chunks that were stored in that time were placed under
   * one of them, although no row names that layout before their commit.
   */
  recentLayouts(
    query: { readonly forMs: number; readonly limit: number },
    options?: CallOptions,
  ): Promise<readonly Layout[]>;
}

/** What a cluster does by itself about nodes that are away for long. */
export interface AwayNodes {
  /**
   * Leaves a node out of the layout because it has been away: its copies are then made on others. It joins again when it registers, with its weight.
   * Nothing changes if it was up less than `awayForMs` ago; if the nodes of the layout that are up are fewer than the copies, or not more than half of
   * them (then the others may be the ones that are cut off); or if the cluster stages layouts.
   * @returns the new layout, or `undefined` if nothing changed.
   */
  leaveOutNode(
    query: { readonly nodeId: string; readonly awayForMs: number },
    options?: CallOptions,
  ): Promise<Layout | undefined>;
}

/** A change of the layout by an operator. */
export interface LayoutChange {
  readonly replicationFactor?: number | undefined;
  /** New weights by node id; 0 drains. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
  /** Nodes to take out. */
  readonly removeNodeIds?: readonly string[] | undefined;
  /** Nodes outside of the layout to forget: they are not listed any more, and one that comes back registers as a new node. */
  readonly forgetNodeIds?: readonly string[] | undefined;
  /** Forget nodes on which older layouts in use place copies, too: those copies count as lost from then on. Default false. */
  readonly acceptLoss?: boolean | undefined;
  /** 1 or 2, see `Layout`; default as before. Another format moves most copies, and clients that do not know it are refused from then on. */
  readonly placementFormat?: number | undefined;
}

/** Storage nodes and layouts, kept where every gateway sees them. */
export interface NodeRegistry {
  /**
   * Registers a node or updates it, marks it up, and keeps its virtual nodes in `hash_ring_nodes`. A node that the newest layout lacks joins
   * it in a new layout version, unless the cluster stages layouts.
   *
   * A node has lost its disk if it has no chunks and its last heartbeat told of some, or if its folder has another id than before. From then on
   * `queueLostCopies` queues for repair what belongs there.
   * @throws {AshlarError} PRECONDITION_FAILED while the id is `up` under another URL (`details.url`): the id is free when that node has stopped
   *   or is down; also with `refuseLostDisk` for a folder that lacks chunks (`details.reason` LOST_DISK), and then nothing is changed.
   *   INVALID_ARGUMENT, METADATA_UNAVAILABLE.
   */
  registerNode(registration: NodeRegistration, options?: CallOptions): Promise<RegisteredNode>;
  /** @throws {AshlarError} NODE_NOT_FOUND if the database does not know the node (any more), or has left it out: register again. */
  heartbeat(beat: Heartbeat, options?: CallOptions): Promise<HeartbeatAnswer>;
  /** Marks a node stopped; it stays in the layout. Unknown nodes: NODE_NOT_FOUND. */
  stopNode(nodeId: string, options?: CallOptions): Promise<void>;
  clusterSnapshot(options?: CallOptions): Promise<ClusterSnapshot>;
  /**
   * Applies a change as a new layout version; forgetting nodes makes none.
   * @throws {AshlarError} INVALID_ARGUMENT if no node would remain; NODE_NOT_FOUND; PRECONDITION_FAILED for a node to forget that is up, in the newest
   *   layout, or, without `acceptLoss`, named by an older one in use. Nothing is changed then.
   */
  changeLayout(change: LayoutChange, options?: CallOptions): Promise<Layout>;
}
