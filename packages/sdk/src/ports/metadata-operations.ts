/**
 * The operations of a metadata store in one table: what each takes, how it runs, and what it means for locks, disks and repeated tries. The checked
 * wrapper, the SQL stores, the worker's protocol and the kept results of writes derive from it. A new operation is a method of the port, a row
 * here, and its implementations.
 */
import { decodeDigestHex, encodeHex } from "../hash/digest.ts";
import * as LIMITS from "../limit-values.ts";
import type { CallOptions } from "./chunk-store.ts";
import type { ApiKeyRecord } from "./credentials.ts";
import type { Durability } from "./durability.ts";
import * as check from "./metadata-checks.ts";
import type { CopyObject, MetadataStore, RepairOutcome } from "./metadata-store.ts";
import { assertBucketName, normalizeAttributes } from "./names.ts";
import type { CommitObject, ObjectInfo } from "./objects.ts";
import type { PutPart } from "./uploads.ts";
import type { WriteOptions } from "./write-options.ts";

/** Every operation of a metadata store, by the name of its method. */
export type MetadataOperation = Exclude<keyof MetadataStore, "capabilities" | "close">;

/** What an operation takes before its options; `undefined` if it takes nothing. */
export type MetadataInput<Name extends MetadataOperation> = Parameters<MetadataStore[Name]>["length"] extends 0 | 1
  ? undefined
  : Parameters<MetadataStore[Name]>[0];

/** What an operation resolves to. */
export type MetadataOutput<Name extends MetadataOperation> = Awaited<ReturnType<MetadataStore[Name]>>;

/**
 * How an operation runs.
 *
 * - `read`: statements without a transaction.
 * - `statement`: one writing statement that commits itself.
 * - `repeat`: a transaction that does no harm when it happens twice.
 * - `once`: a transaction that must happen at most once, even where the answer to its commit was lost.
 */
export type OperationKind = "read" | "statement" | "repeat" | "once";

/** Locks that an operation needs in any case, as its input shows. A store may take them when the operation begins. */
export interface OperationLocks {
  readonly objects: ReadonlyArray<{ readonly bucket: string; readonly key: string }>;
  /** Locked so that nobody deletes the bucket meanwhile. */
  readonly buckets: readonly string[];
}

/** How the result of a write is kept for its next try, as JSON. Default: unchanged. */
export interface KeptResult<Input, Output> {
  encode(output: Output): unknown;
  /** @param input of the same request. */
  decode(kept: never, input: Input): Output;
}

/** The rules of an operation, the same in every store. */
export interface OperationRules<Input, Output> {
  readonly kind: OperationKind;
  /**
   * Checks the input, fills in defaults, and returns it as stores get it. `undefined` if the operation takes no input.
   * @throws {AshlarError} INVALID_ARGUMENT, or a code of its own.
   */
  readonly prepare: Input extends undefined ? undefined : (input: Input) => Input;
  /** An answer that needs no call of the store. */
  readonly known?: ((input: Input) => { readonly output: Output } | undefined) | undefined;
  /** Whether callers may give it an operation id (see {@link WriteOptions}); its result is kept then. */
  readonly named?: boolean | undefined;
  /** The part of the input that must be equal in all tries under one operation id; default: all of it. */
  readonly sameness?: ((input: Input) => unknown) | undefined;
  readonly kept?: KeptResult<Input, Output> | undefined;
  /**
   * Whether it adds rows with every object. Such operations are refused once the disk is down to its reserve; all others (deletes, collection,
   * heartbeats, layouts, credentials) go on.
   */
  readonly grows?: boolean | undefined;
  readonly locks?: ((input: Input) => OperationLocks) | undefined;
  /** The durability mode of this operation; default: the store's. */
  readonly durability?: ((input: Input) => Durability) | undefined;
  /** Whether it names chunks that an older state of the database does not know. */
  readonly namesChunks?: ((input: Input) => boolean) | undefined;
}

/** The rules of every operation. */
export type OperationTable = {
  readonly [Name in MetadataOperation]: OperationRules<MetadataInput<Name>, MetadataOutput<Name>>;
};

const MANIFEST_PAGE = 1024;

/** A read without an input. */
const READ_ALL = { kind: "read", prepare: undefined } as const;

const bucketName = (bucket: string): string => {
  assertBucketName(bucket);
  return bucket;
};

const opaque =
  (what: string) =>
  (value: string): string => {
    check.checkOpaque(value, what);
    return value;
  };

const digests = <Ids extends Parameters<typeof check.checkDigests>[0]>(chunkIds: Ids): Ids => {
  check.checkDigests(chunkIds);
  return chunkIds;
};

const checkWorkLimit = (limit: number): void => check.checkInteger(limit, "limit", { min: 1, max: 100_000 });

const checkLease = (leaseMs: number): void =>
  check.checkInteger(leaseMs, "leaseMs", { min: 1, max: LIMITS.WORK_LEASE_MAX_MS });

/** Texts of errors are for operators: cut, so that a queue of many does not grow by what a node answers. */
const ERROR_TEXT_MAX = 300;

const keptError = (error: string | undefined): string | undefined =>
  error?.slice(0, ERROR_TEXT_MAX).replaceAll(/\0|\p{Surrogate}/gu, " ");

const checkedOutcome = ({ repairId, retryInMs, error }: RepairOutcome): RepairOutcome => {
  check.checkOpaque(repairId, "repairId");
  if (retryInMs !== undefined) check.checkInteger(retryInMs, "retryInMs", { min: 0 });
  return { repairId, retryInMs, error: keptError(error) };
};

/** A step of background work. */
const workStep = <Query extends { readonly limit: number }>(query: Query): Query => {
  checkWorkLimit(query.limit);
  return query;
};

/** A step of background work on rows of at least this age. */
const olderThan =
  <Age extends string>(age: Age) =>
  <Query extends { readonly limit: number } & { readonly [Name in Age]: number }>(query: Query): Query => {
    check.checkInteger(query[age], "a duration in ms", { min: 0 });
    checkWorkLimit(query.limit);
    return query;
  };

/** A page of an examination. */
const examination = <Query extends { readonly limit: number }>(query: Query): Query => {
  check.checkInteger(query.limit, "limit", { min: 1, max: 10_000 });
  return query;
};

/** Two tries of one write may place their chunks differently and have different tickets; equal bytes show in the etag. */
const withoutPlaces = (input: object): unknown => {
  const { content: _content, ticket: _ticket, ...request } = input as Record<string, unknown>;
  return request;
};

const oneObject = ({ bucket, key }: { readonly bucket: string; readonly key: string }): OperationLocks => ({
  objects: [{ bucket, key }],
  buckets: [bucket],
});

type TwoObjects = Omit<CopyObject, "attributes">;

const checkSourceAndTarget = ({ sourceBucket, sourceKey, sourceIfMatch, bucket, key, condition }: TwoObjects): void => {
  check.checkObjectName(sourceBucket, sourceKey);
  check.checkObjectName(bucket, key);
  check.checkCondition(condition);
  if (sourceIfMatch !== undefined) check.checkOpaque(sourceIfMatch, "sourceIfMatch");
};

const sourceAndTarget = ({ sourceBucket, sourceKey, bucket, key }: TwoObjects): OperationLocks => ({
  objects: [
    { bucket: sourceBucket, key: sourceKey },
    { bucket, key },
  ],
  buckets: [bucket],
});

const isOpaque = (value: string): boolean => {
  try {
    check.checkOpaque(value, "id");
    return true;
  } catch {
    return false;
  }
};

/** A malformed id comes from a wrong credential. It is answered as unknown, not as INVALID_ARGUMENT. */
const unlessOpaque =
  <Output>(output: Output) =>
  (id: string) =>
    isOpaque(id) ? undefined : { output };

/** What the store added to a commit. */
type CommittedAs = readonly [objectVersion: string, createdAtMs: number];

/** What a commit made. */
export function committedInfo(commit: CommitObject, [objectVersion, createdAtMs]: CommittedAs): ObjectInfo {
  const { bucket, key, sizeBytes, etag, sha256, durability, attributes } = commit;
  return {
    ...{ bucket, key, objectVersion, sizeBytes, etag },
    ...(sha256 === undefined ? {} : { sha256 }),
    ...{ createdAtMs, durability, attributes },
  };
}

const isChunked = ({ content }: CommitObject | PutPart): boolean => !("inline" in content);

const ROLES: readonly string[] = ["admin", "readwrite", "readonly"];

type StoredKey = Omit<ApiKeyRecord, "secretSha256" | "sealedSecret"> & {
  readonly secretSha256: { readonly digest: string };
  readonly sealedSecret?: true;
};

/** Enough for a secret of some hundred bytes and its seal. */
const SEALED_SECRET_MAX_BYTES = 1024;

/** The one table. An operation that is missing here does not compile. */
export const METADATA_OPERATIONS: OperationTable = Object.freeze({
  ping: READ_ALL,

  createBucket: { kind: "once", prepare: bucketName, named: true, grows: true },
  getBucket: { kind: "read", prepare: bucketName },
  listBuckets: READ_ALL,
  deleteBucket: { kind: "once", prepare: bucketName, named: true },

  commitObject: {
    kind: "once",
    prepare(commit) {
      check.checkCommit(commit);
      return { ...commit, attributes: normalizeAttributes(commit.attributes) };
    },
    named: true,
    sameness: withoutPlaces,
    // Only what the store added, because there are many commits. The next try brings the rest in its request.
    kept: {
      encode: ({ objectVersion, createdAtMs }) => [objectVersion, createdAtMs],
      decode: (kept: CommittedAs, commit) => committedInfo(commit, kept),
    },
    grows: true,
    locks: oneObject,
    durability: ({ durability }) => durability,
    namesChunks: isChunked,
  },
  getObject: {
    kind: "read",
    prepare(query) {
      check.checkObjectName(query.bucket, query.key);
      if (query.objectVersion !== undefined) check.checkOpaque(query.objectVersion, "objectVersion");
      const { fromOffset = 0, chunkLimit = MANIFEST_PAGE } = query;
      check.checkInteger(fromOffset, "fromOffset", { min: 0 });
      check.checkInteger(chunkLimit, "chunkLimit", { min: 0, max: MANIFEST_PAGE });
      return { ...query, fromOffset, chunkLimit };
    },
  },
  getManifestPage: {
    kind: "read",
    prepare(query) {
      check.checkOpaque(query.manifestId, "manifestId");
      check.checkInteger(query.fromOffset, "fromOffset", { min: 0 });
      const { limit = MANIFEST_PAGE } = query;
      check.checkInteger(limit, "limit", { min: 1, max: MANIFEST_PAGE });
      return { ...query, limit };
    },
  },
  deleteObject: {
    kind: "once",
    prepare(query) {
      check.checkObjectName(query.bucket, query.key);
      check.checkCondition(query.condition);
      return query;
    },
    named: true,
    locks: oneObject,
  },
  listObjects: {
    kind: "read",
    prepare(query) {
      check.checkListQuery(query);
      return { ...query, limit: check.pageLimit(query.limit) };
    },
  },
  copyObject: {
    kind: "once",
    prepare(copy) {
      checkSourceAndTarget(copy);
      return { ...copy, attributes: copy.attributes === undefined ? undefined : normalizeAttributes(copy.attributes) };
    },
    named: true,
    grows: true,
    locks: sourceAndTarget,
  },
  moveObject: {
    kind: "once",
    prepare(move) {
      checkSourceAndTarget(move);
      if (move.sourceBucket === move.bucket && move.sourceKey === move.key)
        check.invalid("an object cannot be moved to its own name");
      return move;
    },
    named: true,
    locks: sourceAndTarget,
  },

  createUpload: {
    kind: "once",
    prepare(create) {
      check.checkObjectName(create.bucket, create.key);
      check.checkDurability(create.durability);
      return { ...create, attributes: normalizeAttributes(create.attributes) };
    },
    named: true,
    grows: true,
    durability: ({ durability }) => durability,
  },
  getUpload: { kind: "read", prepare: opaque("uploadId") },
  putPart: {
    kind: "once",
    prepare(part) {
      check.checkOpaque(part.uploadId, "uploadId");
      check.checkInteger(part.partNumber, "partNumber", { min: 1, max: LIMITS.PART_NUMBER_MAX });
      check.checkOpaque(part.etag, "etag");
      check.checkSha256(part.sha256);
      check.checkInteger(part.sizeBytes, "sizeBytes", { min: 0 });
      // An empty part is legal (S3 allows an upload of one): it has no chunks at all.
      if (part.sizeBytes > 0 || part.content.chunks.length > 0) check.checkChunkedContent(part.content, part.sizeBytes);
      return part;
    },
    named: true,
    sameness: withoutPlaces,
    grows: true,
    namesChunks: isChunked,
  },
  listParts: {
    kind: "read",
    prepare(query) {
      check.checkOpaque(query.uploadId, "uploadId");
      const { afterPartNumber = 0 } = query;
      check.checkInteger(afterPartNumber, "afterPartNumber", { min: 0 });
      return { ...query, afterPartNumber, limit: check.pageLimit(query.limit) };
    },
  },
  listUploads: {
    kind: "read",
    prepare(query) {
      check.checkListQuery(query);
      return { ...query, limit: check.pageLimit(query.limit) };
    },
  },
  completeUpload: {
    kind: "once",
    prepare(complete) {
      check.checkOpaque(complete.uploadId, "uploadId");
      check.checkSha256(complete.sha256);
      check.checkCondition(complete.condition);
      check.checkNamedParts(complete.parts);
      return complete;
    },
    named: true,
    sameness: (complete) => ({
      ...(withoutPlaces(complete) as object),
      parts: complete.parts.map(({ partNumber, etag }) => [partNumber, etag]),
    }),
  },
  abortUpload: { kind: "once", prepare: opaque("uploadId"), named: true },

  dropReleasedManifests: { kind: "repeat", prepare: olderThan("graceMs") },
  abortStaleUploads: { kind: "repeat", prepare: olderThan("olderThanMs") },
  markCollecting: { kind: "repeat", prepare: olderThan("graceMs") },
  finishCollecting: {
    kind: "repeat",
    prepare(outcomes) {
      check.checkDigests(outcomes.map((outcome) => outcome.chunkId));
      return outcomes;
    },
  },
  knowsChunks: { kind: "read", prepare: digests },
  queueRepairs: {
    kind: "repeat",
    prepare(copies) {
      check.checkMissedCopies(copies);
      return copies;
    },
  },
  claimRepairs: {
    kind: "repeat",
    prepare(claim) {
      check.checkNodeId(claim.nodeId);
      check.checkInteger(claim.limit, "limit", { min: 1, max: LIMITS.REPAIR_CLAIM_MAX });
      checkLease(claim.leaseMs);
      return claim;
    },
  },
  finishRepairs: {
    kind: "repeat",
    prepare({ leaseToken, outcomes }) {
      check.checkOpaque(leaseToken, "leaseToken");
      if (outcomes.length > LIMITS.REPAIR_CLAIM_MAX)
        check.invalid(`one call ends up to ${LIMITS.REPAIR_CLAIM_MAX} repairs`);
      return { leaseToken, outcomes: outcomes.map(checkedOutcome) };
    },
  },
  listRepairs: {
    kind: "read",
    prepare(query) {
      checkWorkLimit(query.limit);
      if (query.nodeId !== undefined) check.checkNodeId(query.nodeId);
      if (query.afterRepairId !== undefined) check.checkOpaque(query.afterRepairId, "afterRepairId");
      const { minAttempts = 0 } = query;
      check.checkInteger(minAttempts, "minAttempts", { min: 0 });
      return { ...query, minAttempts };
    },
  },
  countRepairs: READ_ALL,
  queueLostCopies: {
    kind: "repeat",
    prepare: workStep,
  },

  listOutdatedChunks: {
    kind: "read",
    prepare: workStep,
  },
  advanceLayouts: {
    kind: "repeat",
    prepare(advance) {
      check.checkLayoutAdvance(advance);
      return advance;
    },
  },
  settledLayouts: { kind: "read", prepare: digests },
  countLayoutUse: READ_ALL,

  claimJob: {
    kind: "repeat",
    prepare(claim) {
      check.checkOpaque(claim.job, "job");
      checkLease(claim.leaseMs);
      return claim;
    },
    // Who has a job matters for minutes only, and jobs are safe when they run twice.
    durability: () => "os",
  },
  renewJob: {
    kind: "statement",
    prepare(renewal) {
      check.checkOpaque(renewal.job, "job");
      check.checkOpaque(renewal.leaseToken, "leaseToken");
      checkLease(renewal.leaseMs);
      return renewal;
    },
    durability: () => "os",
  },
  finishJob: {
    kind: "statement",
    prepare(end) {
      check.checkOpaque(end.job, "job");
      check.checkOpaque(end.leaseToken, "leaseToken");
      check.checkInteger(end.againInMs, "againInMs", { min: 0 });
      return { ...end, error: keptError(end.error) };
    },
    durability: () => "os",
  },
  listJobs: READ_ALL,

  registerNode: {
    kind: "repeat",
    prepare(registration) {
      check.checkRegistration(registration);
      return registration;
    },
  },
  heartbeat: {
    kind: "statement",
    prepare(beat) {
      check.checkNodeId(beat.nodeId);
      check.checkStats(beat.stats);
      check.checkDamagedChunkIds(beat.damagedChunkIds ?? []);
      return beat;
    },
    // The next heartbeat replaces a lost one, so it needs no fsync.
    durability: () => "os",
  },
  stopNode: {
    kind: "statement",
    prepare(nodeId) {
      check.checkNodeId(nodeId);
      return nodeId;
    },
  },
  clusterSnapshot: READ_ALL,
  recentLayouts: {
    kind: "read",
    prepare(query) {
      check.checkInteger(query.forMs, "forMs", { min: 0 });
      check.checkInteger(query.limit, "limit", { min: 1, max: LIMITS.RECENT_LAYOUTS_MAX });
      return query;
    },
  },
  leaveOutNode: {
    kind: "repeat",
    prepare(query) {
      check.checkNodeId(query.nodeId);
      check.checkInteger(query.awayForMs, "awayForMs", { min: 0 });
      return query;
    },
  },
  changeLayout: {
    kind: "once",
    prepare(change) {
      const max = LIMITS.REPLICATION_FACTOR_MAX;
      if (change.replicationFactor !== undefined)
        check.checkInteger(change.replicationFactor, "replicationFactor", { min: 1, max });
      if (change.placementFormat !== undefined)
        check.checkInteger(change.placementFormat, "placementFormat", { min: 1, max: LIMITS.PLACEMENT_FORMAT_NEWEST });
      for (const [nodeId, weight] of Object.entries(change.weights ?? {})) {
        check.checkNodeId(nodeId);
        check.checkWeight(weight, nodeId);
      }
      for (const nodeId of [...(change.removeNodeIds ?? []), ...(change.forgetNodeIds ?? [])])
        check.checkNodeId(nodeId);
      return change;
    },
  },

  createApiKey: {
    kind: "once",
    prepare(record) {
      check.checkOpaque(record.keyId, "keyId");
      check.checkText(record.name, "name");
      check.checkDigests([record.secretSha256]);
      if (!ROLES.includes(record.role)) check.invalid(`role is one of ${ROLES.join(", ")}`);
      const { sealedSecret } = record;
      const isSealed = sealedSecret instanceof Uint8Array && sealedSecret.byteLength <= SEALED_SECRET_MAX_BYTES;
      if (sealedSecret !== undefined && !isSealed)
        check.invalid(`a sealed secret is a Uint8Array of at most ${SEALED_SECRET_MAX_BYTES} bytes`);
      if (record.scope !== undefined) check.checkScope(record.scope);
      if (record.expiresAtMs !== undefined) check.checkInteger(record.expiresAtMs, "expiresAtMs", { min: 0 });
      return record;
    },
    kept: {
      encode: ({ secretSha256, sealedSecret, ...record }) => ({
        ...record,
        secretSha256: { digest: encodeHex(secretSha256) },
        ...(sealedSecret && { sealedSecret: true }),
      }),
      decode: ({ secretSha256, sealedSecret, ...record }: StoredKey, request) => ({
        ...record,
        secretSha256: decodeDigestHex(secretSha256.digest),
        ...(sealedSecret && { sealedSecret: request.sealedSecret }),
      }),
    },
  },
  findApiKey: { kind: "read", prepare: (keyId) => keyId, known: unlessOpaque(undefined) },
  listApiKeys: READ_ALL,
  deleteApiKey: { kind: "once", prepare: (keyId) => keyId, known: unlessOpaque(false) },
  revokeToken: {
    kind: "repeat",
    prepare(revocation) {
      check.checkOpaque(revocation.tokenId, "tokenId");
      check.checkInteger(revocation.expiresAtMs, "expiresAtMs", { min: 0 });
      return revocation;
    },
  },
  isTokenRevoked: { kind: "read", prepare: (tokenId) => tokenId, known: unlessOpaque(false) },

  databaseMark: READ_ALL,
  // After a power loss the database must not have a lower epoch than its chunk stores have recorded.
  advanceDatabase: {
    kind: "statement",
    prepare(epoch) {
      check.checkInteger(epoch, "epoch", { min: 0 });
      return epoch;
    },
    durability: () => "strict",
  },
  acceptDatabase: { kind: "repeat", prepare: (accept) => accept, durability: () => "strict" },
  checkIntegrity: READ_ALL,

  listSegments: { kind: "read", prepare: examination },
  chunkCounts: { kind: "read", prepare: digests },
  examineObjects: { kind: "read", prepare: examination },
  examineManifests: { kind: "read", prepare: examination },
  listChunkRows: { kind: "read", prepare: examination },
  countCopies: {
    kind: "read",
    prepare: workStep,
  },
  copiesOf: { kind: "read", prepare: digests },
  manifestOwners: { kind: "read", prepare: examination },
} satisfies OperationTable);

/** Runs an operation by its name. */
export type RunOperation = <Name extends MetadataOperation>(
  name: Name,
  input: MetadataInput<Name>,
  options: WriteOptions | undefined,
) => Promise<MetadataOutput<Name>>;

/** The methods of a metadata store; each runs the operation of its name. */
export function metadataMethods(run: RunOperation): Omit<MetadataStore, "capabilities" | "close"> {
  const names = Object.keys(METADATA_OPERATIONS) as MetadataOperation[];
  const methods = names.map((name) => {
    if (takesInput(name)) return [name, (input: never, options?: CallOptions) => run(name, input, options)];
    return [name, (options?: CallOptions) => run(name, undefined as never, options)];
  });
  return Object.fromEntries(methods);
}

/** The inverse of {@link metadataMethods}: runs an operation of `store` by its name. */
export const runOn =
  (store: Omit<MetadataStore, "capabilities" | "close">): RunOperation =>
  (name, input, options) => {
    const methods = store as unknown as Readonly<Record<MetadataOperation, (...args: unknown[]) => Promise<never>>>;
    return takesInput(name) ? methods[name](input, options) : methods[name](options);
  };

/** The rules of an operation, for code that has its input untyped. */
export function rulesOf(name: MetadataOperation): OperationRules<unknown, unknown> {
  return METADATA_OPERATIONS[name] as unknown as OperationRules<unknown, unknown>;
}

function takesInput(name: MetadataOperation): boolean {
  return METADATA_OPERATIONS[name].prepare !== undefined;
}
