import type { Digest } from "../hash/index.ts";
import type { ChunkLocations } from "./chunk-locations.ts";
import type { CallOptions } from "./chunk-store.ts";
import type { CredentialCatalog } from "./credentials.ts";
import type { DatabaseIdentity } from "./database-identity.ts";
import type { MetadataExamination } from "./examination.ts";
import type { AwayNodes, LayoutHistory, NodeRegistry } from "./nodes.ts";
import type {
  BucketInfo,
  ChunkRef,
  CommitCondition,
  CommitObject,
  ListObjectsQuery,
  ManifestPage,
  ObjectInfo,
  ObjectListPage,
  StoredObject,
} from "./objects.ts";
import type {
  CompleteUpload,
  CreateUpload,
  ListPartsQuery,
  ListUploadsQuery,
  PartInfo,
  PartPage,
  PutPart,
  UploadInfo,
  UploadPage,
} from "./uploads.ts";
import type { WriteOptions } from "./write-options.ts";

/** Buckets. */
export interface BucketCatalog {
  /** @throws {AshlarError} BUCKET_ALREADY_EXISTS, INVALID_BUCKET_NAME. */
  createBucket(bucket: string, options?: WriteOptions): Promise<BucketInfo>;
  getBucket(bucket: string, options?: CallOptions): Promise<BucketInfo | undefined>;
  /** All buckets by name, ascending. */
  listBuckets(options?: CallOptions): Promise<readonly BucketInfo[]>;
  /**
   * @throws {AshlarError} BUCKET_NOT_FOUND, BUCKET_NOT_EMPTY (objects or unfinished uploads in it: `details.hasObjects` is `true` or `false`,
   *   `details.uploadCount` counts up to 1,000).
   */
  deleteBucket(bucket: string, options?: WriteOptions): Promise<void>;
}

/** Which object, and at which offset its chunk list begins. */
export interface GetObjectQuery {
  readonly bucket: string;
  readonly key: string;
  /** Default: the latest version. */
  readonly objectVersion?: string | undefined;
  /** The first page of chunks begins with the chunk that contains this offset; default 0. */
  readonly fromOffset?: number | undefined;
  /** Chunks in the first page, at most 1,024; 0 for none (head); default 1,024. */
  readonly chunkLimit?: number | undefined;
}

/** Objects and manifests. The commit is the only point at which anything becomes visible. */
export interface ObjectCatalog {
  /**
   * Commits an object in one transaction: upserts chunk rows in digest order and raises their reference counts, sets rows in state `collecting`
   * live again, writes manifest and object row under the condition, and queues missed replicas for repair. The version that it replaces is
   * released; its manifest stays readable for COLLECT_GRACE_MS.
   *
   * @throws {AshlarError} BUCKET_NOT_FOUND, PRECONDITION_FAILED, METADATA_UNAVAILABLE (not committed; with `details.outcome` "unknown" it may
   *   have been: commit again under the same operation id); CLAIM_EXPIRED, PERMISSION_DENIED (through a gateway).
   */
  commitObject(commit: CommitObject, options?: WriteOptions): Promise<ObjectInfo>;
  /** `undefined` if there is no such object. @throws {AshlarError} BUCKET_NOT_FOUND. */
  getObject(query: GetObjectQuery, options?: CallOptions): Promise<StoredObject | undefined>;
  /**
   * A further page of a manifest, from the chunk that contains `fromOffset`; at most `limit` (1,024) chunks.
   * @throws {AshlarError} OBJECT_NOT_FOUND once the manifest is collected.
   */
  getManifestPage(
    query: { readonly manifestId: string; readonly fromOffset: number; readonly limit?: number | undefined },
    options?: CallOptions,
  ): Promise<ManifestPage>;
  /** Deletes the latest version; `false` if there was none. @throws {AshlarError} BUCKET_NOT_FOUND, PRECONDITION_FAILED. */
  deleteObject(
    query: { readonly bucket: string; readonly key: string; readonly condition?: CommitCondition | undefined },
    options?: WriteOptions,
  ): Promise<boolean>;
  listObjects(query: ListObjectsQuery, options?: CallOptions): Promise<ObjectListPage>;
  /**
   * Makes a new object from an existing manifest or inline bytes: no chunk moves, reference counts rise.
   * @throws {AshlarError} OBJECT_NOT_FOUND, BUCKET_NOT_FOUND, PRECONDITION_FAILED (`sourceIfMatch`, `condition`).
   */
  copyObject(copy: CopyObject, options?: WriteOptions): Promise<ObjectInfo>;
  /**
   * Gives an object another name in one transaction, as a new version with its attributes: nobody sees it under both names, or under neither.
   * An object that the target name had is replaced.
   * @throws {AshlarError} OBJECT_NOT_FOUND, BUCKET_NOT_FOUND, PRECONDITION_FAILED (`sourceIfMatch`, `condition`); INVALID_ARGUMENT if both names
   *   are the same.
   */
  moveObject(move: Omit<CopyObject, "attributes">, options?: WriteOptions): Promise<ObjectInfo>;
}

/** A copy within the store. */
export interface CopyObject {
  readonly sourceBucket: string;
  readonly sourceKey: string;
  readonly sourceIfMatch?: string | undefined;
  readonly bucket: string;
  readonly key: string;
  /** Replaces the attributes; default: the source's. */
  readonly attributes?: CommitObject["attributes"] | undefined;
  readonly condition?: CommitCondition | undefined;
}

/** Multipart uploads. All but `createUpload` throw UPLOAD_NOT_FOUND for an unknown upload. */
export interface UploadCatalog {
  createUpload(create: CreateUpload, options?: WriteOptions): Promise<UploadInfo>;
  getUpload(uploadId: string, options?: CallOptions): Promise<UploadInfo>;
  putPart(part: PutPart, options?: WriteOptions): Promise<PartInfo>;
  listParts(query: ListPartsQuery, options?: CallOptions): Promise<PartPage>;
  listUploads(query: ListUploadsQuery, options?: CallOptions): Promise<UploadPage>;
  /**
   * A second call with the same parts, condition and credential returns the first result, for OPERATION_KEPT_MS after the completion.
   * @throws {AshlarError} INVALID_PART (missing, other etag, not ascending, none named), PRECONDITION_FAILED; the upload then stays as it was.
   */
  completeUpload(complete: CompleteUpload, options?: WriteOptions): Promise<ObjectInfo>;
  /** Releases the parts. Idempotent only until the upload is forgotten. */
  abortUpload(uploadId: string, options?: WriteOptions): Promise<void>;
}

/** A row that the collector has marked. */
export interface CollectingChunk extends ChunkRef {
  readonly layoutVersion: number;
}

/** A copy that is missing on a node. */
export interface RepairEntry {
  readonly repairId: string;
  readonly chunkId: Digest;
  readonly sizeBytes: number;
  readonly nodeId: string;
  readonly layoutVersion: number;
  /** Tries that failed. */
  readonly attempts: number;
  /** What the last one failed with. */
  readonly lastError?: string | undefined;
}

/** Entries that one worker holds, until its lease ends. */
export interface RepairClaim {
  /** Names the claim when its entries are finished. */
  readonly leaseToken: string;
  readonly entries: readonly RepairEntry[];
}

/** What became of a claimed entry: the copy is there, or needs to be there no more; or it is to be tried again. */
export interface RepairOutcome {
  readonly repairId: string;
  /** When the entry may be claimed again, in ms from now; absent: it is done. */
  readonly retryInMs?: number | undefined;
  /** What the try failed with; absent: it was not tried. */
  readonly error?: string | undefined;
}

/** What waits for one node. */
export interface NodeRepairs {
  readonly nodeId: string;
  readonly count: number;
  readonly sizeBytes: number;
  /** Entries that a worker holds. */
  readonly claimedCount: number;
  /** Entries that failed REPAIR_FAILING_ATTEMPTS times or more. */
  readonly failingCount: number;
}

/** A copy that a reader found missing or damaged. */
export interface MissedCopy {
  readonly chunkId: Digest;
  readonly nodeId: string;
  /** Every layout by which the copy belongs on that node. */
  readonly layoutVersions: readonly number[];
}

/** What a step over the chunk rows did. */
export interface LostCopiesStep {
  readonly rowsWalked: number;
  readonly copiesQueued: number;
  /** No walk is left, for any node. */
  readonly isDone: boolean;
}

/**
 * Copies that are missing: a write did not reach them, a reader missed them, their node lost its disk, or a collection was undone by a commit.
 *
 * Any number of workers share the work. A worker claims entries for the time of its lease; meanwhile no other gets them. If it dies, they are free
 * when the lease ends. All times are those of the database's clock.
 */
export interface RepairQueue {
  /**
   * Queues copies for repair: each chunk and node once, and only chunks that are live and named by an object or upload, whose row has one of the
   * given layouts. A node that a newer layout names need not hold a chunk of an older one. An entry that is there already stays as it is.
   * @returns how many were queued. At most LIST_LIMIT_MAX copies in one call.
   */
  queueRepairs(copies: readonly MissedCopy[], options?: CallOptions): Promise<number>;
  /**
   * Claims entries of one node that are due and that nobody holds, those that wait longest first. Entries of other nodes do not stand in their way.
   * @param claim.limit at most REPAIR_CLAIM_MAX entries.
   * @param claim.leaseMs how long nobody else gets them, 1 to WORK_LEASE_MAX_MS.
   */
  claimRepairs(
    claim: { readonly nodeId: string; readonly limit: number; readonly leaseMs: number },
    options?: CallOptions,
  ): Promise<RepairClaim>;
  /**
   * Ends the claim of entries: removes what is done, and lets the others be claimed again. Entries that another worker has claimed since, or that
   * were missed anew meanwhile, stay as they are: a new miss frees its entry.
   * @returns how many were ended.
   */
  finishRepairs(
    claim: { readonly leaseToken: string; readonly outcomes: readonly RepairOutcome[] },
    options?: CallOptions,
  ): Promise<number>;
  /** A page of the queue in the order of the repair ids, oldest first. Claims nothing. */
  listRepairs(
    query: {
      readonly limit: number;
      /** Only entries of this node; default: of all. */
      readonly nodeId?: string | undefined;
      /** Entries after this one, which may be finished meanwhile; default: from the first on. */
      readonly afterRepairId?: string | undefined;
      /** Only entries that failed at least so often; default 0. */
      readonly minAttempts?: number | undefined;
    },
    options?: CallOptions,
  ): Promise<readonly RepairEntry[]>;
  /** What waits for each node that lacks anything. */
  countRepairs(options?: CallOptions): Promise<readonly NodeRepairs[]>;
  /**
   * One bounded step over the chunk rows for a node that lost its disk: queues what belongs there by the layout of each row. Where the walk is, is
   * kept with the data: any worker goes on with it. A node has its disk back when its walk is done and the queue has nothing for it.
   *
   * @param query.limit chunk rows of the step.
   */
  queueLostCopies(query: { readonly limit: number }, options?: CallOptions): Promise<LostCopiesStep>;
}

/** A job of the whole cluster, as `collect` is: one worker does it at a time, again and again. */
export interface JobState {
  readonly job: string;
  /** When it may be claimed again, in ms since the Unix epoch: the next round, or the end of the lease of who has it. */
  readonly dueAtMs: number;
  readonly isClaimed: boolean;
  /** Rounds that failed since the last one that did not. */
  readonly attempts: number;
  readonly lastError?: string | undefined;
}

/** Who does which job. Times are those of the database's clock. */
export interface JobLeases {
  /**
   * Claims a job, if it is due and nobody has it. The first claim makes it known.
   * @param claim.leaseMs how long nobody else gets it, 1 to WORK_LEASE_MAX_MS.
   * @returns a token, or `undefined`.
   */
  claimJob(
    claim: { readonly job: string; readonly leaseMs: number },
    options?: CallOptions,
  ): Promise<string | undefined>;
  /** Makes a claim last for `leaseMs` from now. @returns `false` if another worker has the job since: this one must stop. */
  renewJob(
    renewal: { readonly job: string; readonly leaseToken: string; readonly leaseMs: number },
    options?: CallOptions,
  ): Promise<boolean>;
  /**
   * Ends a claim. The job is due again after `againInMs`.
   * @param end.error what the round failed with.
   * @returns `false` if another worker has the job since: then nothing changes.
   */
  finishJob(
    end: {
      readonly job: string;
      readonly leaseToken: string;
      readonly againInMs: number;
      readonly error?: string | undefined;
    },
    options?: CallOptions,
  ): Promise<boolean>;
  /** All jobs by name. */
  listJobs(options?: CallOptions): Promise<readonly JobState[]>;
}

/** What the collector does with rows. Any number of workers may share it. Durations are measured on the database's clock. */
export interface CollectionQueue {
  /**
   * Drops manifests that were released at least `graceMs` ago and lowers the reference counts of their chunks; at most `limit` manifests.
   * @returns how many.
   */
  dropReleasedManifests(
    query: { readonly graceMs: number; readonly limit: number },
    options?: CallOptions,
  ): Promise<number>;
  /** Aborts uploads that are older than `olderThanMs`. @returns how many. */
  abortStaleUploads(
    query: { readonly olderThanMs: number; readonly limit: number },
    options?: CallOptions,
  ): Promise<number>;
  /**
   * Marks rows without references for at least `graceMs` as `collecting` and returns them. Also returns rows that a crashed worker left `collecting`
   * at least `graceMs` ago.
   */
  markCollecting(
    query: { readonly graceMs: number; readonly limit: number },
    options?: CallOptions,
  ): Promise<readonly CollectingChunk[]>;
  /**
   * Ends a collection. `removed` means that every replica answered deleted or absent: the row is deleted if it is still `collecting`. If a commit
   * set it live meanwhile, it stays, with a repair entry for every replica if it has references. Without `removed` the row is live again, but some
   * replicas may be gone: until a commit names the chunk again, nobody relies on the row's layout.
   * @returns ids of the deleted rows.
   */
  finishCollecting(
    outcomes: ReadonlyArray<{ readonly chunkId: Digest; readonly removed: boolean }>,
    options?: CallOptions,
  ): Promise<readonly Digest[]>;
  /** For each id whether a row names it (any state). For the orphan sweep. */
  knowsChunks(chunkIds: readonly Digest[], options?: CallOptions): Promise<readonly boolean[]>;
}

/** What a metadata store can do; frozen. */
export interface MetadataStoreCapabilities {
  readonly persistent: boolean;
  /** Several processes may use the store at once. */
  readonly sharedByProcesses: boolean;
}

/** What the engine needs; see {@link WriteOptions} for repeated tries of a write. The seats `gateway` and `direct` implement this over RPC. */
export interface Catalog extends BucketCatalog, ObjectCatalog, UploadCatalog {}

/** Everything that is not bytes: buckets, objects, uploads, chunk references, nodes and layouts, credentials. */
export interface MetadataStore
  extends Catalog,
    CollectionQueue,
    RepairQueue,
    JobLeases,
    ChunkLocations,
    NodeRegistry,
    AwayNodes,
    LayoutHistory,
    CredentialCatalog,
    DatabaseIdentity,
    MetadataExamination {
  readonly capabilities: MetadataStoreCapabilities;
  /** Resolves if the store answers; METADATA_UNAVAILABLE otherwise. */
  ping(options?: CallOptions): Promise<void>;
  close(): Promise<void>;
}
