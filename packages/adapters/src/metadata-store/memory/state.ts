import type { Digest } from "@ashlar/sdk/hash";
import type {
  ApiKeyRecord,
  ChunkRef,
  Clock,
  Layout,
  LayoutDefaults,
  LocatedChunk,
  NodeRecord,
  ObjectInfo,
  PartInfo,
  Random,
  RepairEntry,
  UploadInfo,
} from "@ashlar/sdk/ports";
import { newId } from "../../internal/metadata/new-id.ts";
import { bucketNotFound } from "../../internal/metadata/not-found.ts";
import type { FinishedOperation } from "../../internal/metadata/write-name.ts";
import { SortedKeys } from "./sorted-keys.ts";

/** A chunk row. A chunk that a part names k times counts k references. */
export interface ChunkRow {
  readonly chunkId: Digest;
  readonly sizeBytes: number;
  referenceCount: number;
  collecting: boolean;
  layoutVersion: number;
  /** When the last reference was removed, or when the row was marked `collecting`. */
  idleSinceMs: number | undefined;
}

/** The latest version of an object; keys of the map are byte texts. */
export interface ObjectRow {
  readonly info: ObjectInfo;
  readonly inline?: Uint8Array;
  readonly manifestId?: string;
}

/** Chunks of one manifest, with the number of object rows that name it. */
export interface ManifestRow {
  readonly chunks: readonly LocatedChunk[];
  referenceCount: number;
}

/** References to lower once the grace is over: a manifest, or parts that never became one. */
export interface ReleasedRow {
  readonly manifestId?: string;
  readonly chunks: readonly ChunkRef[];
  readonly releasedAtMs: number;
}

export interface PartRow {
  readonly info: PartInfo;
  readonly chunks: readonly ChunkRef[];
}

export interface UploadRow {
  readonly info: UploadInfo;
  readonly parts: Map<number, PartRow>;
}

export interface BucketRow {
  readonly createdAtMs: number;
  readonly keys: SortedKeys;
  readonly objects: Map<string, ObjectRow>;
}

export interface NodeRow extends Omit<NodeRecord, "state"> {
  readonly stopped: boolean;
  /** An operator took the node out of the layout, so registering does not bring it back. */
  readonly removedFromLayout: boolean;
  /** It is not in the layout because it was away, and joins when it registers. */
  readonly leftOut?: boolean | undefined;
  readonly folderId?: string | undefined;
  /** After a loss: the last chunk id in hex that was walked over. */
  readonly lostCursor?: string | undefined;
}

/** When work may be claimed, or when the lease of the worker that did ends. */
export interface LeasedRow {
  readonly dueAtMs: number;
  readonly leaseToken: string | undefined;
}

export interface RepairRow extends RepairEntry, LeasedRow {
  /** The node that holds the copy instead. */
  readonly standInId?: string | undefined;
}

export interface JobRow extends LeasedRow {
  readonly attempts: number;
  readonly lastError?: string | undefined;
}

/** All rows of one memory store. */
export interface MemoryState {
  readonly clock: Clock;
  readonly random: Random;
  readonly stagedLayouts: boolean;
  readonly layoutDefaults: LayoutDefaults;
  readonly buckets: Map<string, BucketRow>;
  readonly manifests: Map<string, ManifestRow>;
  readonly released: Set<ReleasedRow>;
  readonly uploads: Map<string, UploadRow>;
  /** By digest in hex. */
  readonly chunks: Map<string, ChunkRow>;
  /** By digest in hex and node id. */
  readonly repairs: Map<string, RepairRow>;
  /** By name. */
  readonly jobs: Map<string, JobRow>;
  readonly nodes: Map<string, NodeRow>;
  /** Oldest first. */
  readonly layouts: Layout[];
  /** When each layout became the newest one, in ms, by version. */
  readonly layoutsSinceMs: Map<number, number>;
  readonly apiKeys: Map<string, ApiKeyRecord>;
  /** Ends by token id. */
  readonly revokedTokens: Map<string, number>;
  /** By the key of their name, oldest first. */
  readonly finished: Map<string, FinishedRow>;
}

/** The result of a write that was named. */
export interface FinishedRow extends FinishedOperation<Promise<unknown>> {
  readonly finishedAtMs: number;
}

export function createState(
  options: Pick<MemoryState, "clock" | "random" | "stagedLayouts" | "layoutDefaults">,
): MemoryState {
  return {
    ...options,
    buckets: new Map(),
    manifests: new Map(),
    released: new Set(),
    uploads: new Map(),
    chunks: new Map(),
    repairs: new Map(),
    jobs: new Map(),
    nodes: new Map(),
    layouts: [],
    layoutsSinceMs: new Map(),
    apiKeys: new Map(),
    revokedTokens: new Map(),
    finished: new Map(),
  };
}

export function createBucketRow(nowMs: number): BucketRow {
  return { createdAtMs: nowMs, keys: new SortedKeys(), objects: new Map() };
}

/** @throws {AshlarError} BUCKET_NOT_FOUND. */
export function requireBucket(state: MemoryState, bucket: string): BucketRow {
  const row = state.buckets.get(bucket);
  if (row === undefined) throw bucketNotFound(bucket);
  return row;
}

export function nextId(state: MemoryState): string {
  return newId(state.clock, state.random);
}
