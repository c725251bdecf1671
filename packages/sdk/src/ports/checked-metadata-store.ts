import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { LIMITS } from "../limits.ts";
import type { CallOptions } from "./chunk-store.ts";
import type { CredentialCatalog } from "./credentials.ts";
import type { DatabaseIdentity } from "./database-identity.ts";
import type { MetadataExamination } from "./examination.ts";
import * as check from "./metadata-checks.ts";
import type { BucketCatalog, CollectionQueue, MetadataStore, ObjectCatalog, UploadCatalog } from "./metadata-store.ts";
import { assertBucketName, normalizeAttributes } from "./names.ts";
import type { LayoutHistory, ServerRegistry } from "./servers.ts";
import type { WriteOptions } from "./write-options.ts";

/** Runs one call under the rules that hold for all: closed state, arguments, abort. */
type Guard = <T>(options: WriteOptions | undefined, prepare: () => () => Promise<T>) => Promise<T>;

/**
 * Wraps a metadata store with what all of them share, so that an adapter holds only its own matter: argument checks (INVALID_ARGUMENT,
 * INVALID_BUCKET_NAME, OBJECT_TOO_LARGE), attributes in their stored form, default page sizes, STORE_CLOSED after `close()`, and an abort
 * that rejects at once.
 *
 * An aborted write may still happen underneath: abort says "stop waiting", as on any network. `close()` waits for calls in flight.
 */
export function checkedMetadataStore(inner: MetadataStore): MetadataStore {
  const inFlight = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;
  const guard: Guard = async (options, prepare) => {
    if (closing !== undefined) throw new AshlarError("STORE_CLOSED", "the metadata store is closed");
    throwIfAborted(options?.signal);
    check.checkOperationId(options?.operationId);
    const call = prepare()();
    inFlight.add(call);
    const forget = (): void => void inFlight.delete(call);
    call.then(forget, forget);
    return await raceAbort(call, options?.signal);
  };
  return Object.freeze({
    capabilities: inner.capabilities,
    ...checkedBuckets(inner, guard),
    ...checkedObjects(inner, guard),
    ...checkedUploads(inner, guard),
    ...checkedCollection(inner, guard),
    ...checkedServers(inner, guard),
    ...checkedCredentials(inner, guard),
    ...checkedIdentity(inner, guard),
    ...checkedExamination(inner, guard),
    ping: (options?: CallOptions) => guard(options, () => () => inner.ping(options)),
    close(): Promise<void> {
      closing ??= Promise.allSettled([...inFlight]).then(() => inner.close());
      return closing;
    },
  });
}

function checkedBuckets(inner: BucketCatalog, guard: Guard): BucketCatalog {
  return {
    createBucket: (bucket, options) =>
      guard(options, () => {
        assertBucketName(bucket);
        return () => inner.createBucket(bucket, options);
      }),
    getBucket: (bucket, options) =>
      guard(options, () => {
        assertBucketName(bucket);
        return () => inner.getBucket(bucket, options);
      }),
    listBuckets: (options) => guard(options, () => () => inner.listBuckets(options)),
    deleteBucket: (bucket, options) =>
      guard(options, () => {
        assertBucketName(bucket);
        return () => inner.deleteBucket(bucket, options);
      }),
  };
}

function checkedObjects(inner: ObjectCatalog, guard: Guard): ObjectCatalog {
  return {
    commitObject: (commit, options) =>
      guard(options, () => {
        check.checkCommit(commit);
        const attributes = normalizeAttributes(commit.attributes);
        return () => inner.commitObject({ ...commit, attributes }, options);
      }),
    getObject: (query, options) =>
      guard(options, () => {
        check.checkObjectName(query.bucket, query.key);
        if (query.objectVersion !== undefined) check.checkOpaque(query.objectVersion, "objectVersion");
        const { fromOffset = 0, chunkLimit = MANIFEST_PAGE } = query;
        check.checkInteger(fromOffset, "fromOffset", { min: 0 });
        check.checkInteger(chunkLimit, "chunkLimit", { min: 0, max: MANIFEST_PAGE });
        return () => inner.getObject({ ...query, fromOffset, chunkLimit }, options);
      }),
    getManifestPage: (query, options) =>
      guard(options, () => {
        check.checkOpaque(query.manifestId, "manifestId");
        check.checkInteger(query.fromOffset, "fromOffset", { min: 0 });
        const { limit = MANIFEST_PAGE } = query;
        check.checkInteger(limit, "limit", { min: 1, max: MANIFEST_PAGE });
        return () => inner.getManifestPage({ ...query, limit }, options);
      }),
    deleteObject: (query, options) =>
      guard(options, () => {
        check.checkObjectName(query.bucket, query.key);
        check.checkCondition(query.condition);
        return () => inner.deleteObject(query, options);
      }),
    listObjects: (query, options) =>
      guard(options, () => {
        check.checkListQuery(query);
        const limit = check.pageLimit(query.limit);
        return () => inner.listObjects({ ...query, limit }, options);
      }),
    copyObject: (copy, options) =>
      guard(options, () => {
        check.checkObjectName(copy.sourceBucket, copy.sourceKey);
        check.checkObjectName(copy.bucket, copy.key);
        check.checkCondition(copy.condition);
        if (copy.sourceIfMatch !== undefined) check.checkOpaque(copy.sourceIfMatch, "sourceIfMatch");
        const attributes = copy.attributes === undefined ? undefined : normalizeAttributes(copy.attributes);
        return () => inner.copyObject({ ...copy, attributes }, options);
      }),
  };
}

const MANIFEST_PAGE = 1024;

function checkedUploads(inner: UploadCatalog, guard: Guard): UploadCatalog {
  return {
    createUpload: (create, options) =>
      guard(options, () => {
        check.checkObjectName(create.bucket, create.key);
        check.checkDurability(create.durability);
        const attributes = normalizeAttributes(create.attributes);
        return () => inner.createUpload({ ...create, attributes }, options);
      }),
    getUpload: (uploadId, options) =>
      guard(options, () => {
        check.checkOpaque(uploadId, "uploadId");
        return () => inner.getUpload(uploadId, options);
      }),
    putPart: (part, options) =>
      guard(options, () => {
        check.checkOpaque(part.uploadId, "uploadId");
        checkPartNumber(part.partNumber);
        check.checkOpaque(part.etag, "etag");
        check.checkSha256(part.sha256);
        check.checkInteger(part.sizeBytes, "sizeBytes", { min: 0 });
        // An empty part is legal (S3 allows an upload of one): it has no chunks at all.
        if (part.sizeBytes > 0 || part.content.chunks.length > 0)
          check.checkChunkedContent(part.content, part.sizeBytes);
        return () => inner.putPart(part, options);
      }),
    listParts: (query, options) =>
      guard(options, () => {
        check.checkOpaque(query.uploadId, "uploadId");
        const { afterPartNumber = 0 } = query;
        check.checkInteger(afterPartNumber, "afterPartNumber", { min: 0 });
        const limit = check.pageLimit(query.limit);
        return () => inner.listParts({ ...query, afterPartNumber, limit }, options);
      }),
    listUploads: (query, options) =>
      guard(options, () => {
        check.checkListQuery(query);
        const limit = check.pageLimit(query.limit);
        return () => inner.listUploads({ ...query, limit }, options);
      }),
    completeUpload: (complete, options) =>
      guard(options, () => {
        check.checkOpaque(complete.uploadId, "uploadId");
        check.checkSha256(complete.sha256);
        check.checkCondition(complete.condition);
        check.checkNamedParts(complete.parts);
        return () => inner.completeUpload(complete, options);
      }),
    abortUpload: (uploadId, options) =>
      guard(options, () => {
        check.checkOpaque(uploadId, "uploadId");
        return () => inner.abortUpload(uploadId, options);
      }),
  };
}

function checkPartNumber(partNumber: number): void {
  check.checkInteger(partNumber, "partNumber", { min: 1, max: LIMITS.PART_NUMBER_MAX.value });
}

function checkedCollection(inner: CollectionQueue, guard: Guard): CollectionQueue {
  const checkLimit = (limit: number): void => check.checkInteger(limit, "limit", { min: 1, max: 100_000 });
  const checkAge = (ageMs: number): void => check.checkInteger(ageMs, "a duration in ms", { min: 0 });
  return {
    dropReleasedManifests: (query, options) =>
      guard(options, () => {
        checkAge(query.graceMs);
        checkLimit(query.limit);
        return () => inner.dropReleasedManifests(query, options);
      }),
    abortStaleUploads: (query, options) =>
      guard(options, () => {
        checkAge(query.olderThanMs);
        checkLimit(query.limit);
        return () => inner.abortStaleUploads(query, options);
      }),
    markCollecting: (query, options) =>
      guard(options, () => {
        checkAge(query.graceMs);
        checkLimit(query.limit);
        return () => inner.markCollecting(query, options);
      }),
    finishCollecting: (outcomes, options) =>
      guard(options, () => {
        check.checkDigests(outcomes.map((outcome) => outcome.chunkId));
        return () => inner.finishCollecting(outcomes, options);
      }),
    knowsChunks: (chunkIds, options) =>
      guard(options, () => {
        check.checkDigests(chunkIds);
        return () => inner.knowsChunks(chunkIds, options);
      }),
    listRepairs: (query, options) =>
      guard(options, () => {
        checkLimit(query.limit);
        return () => inner.listRepairs(query, options);
      }),
    finishRepairs: (repairIds, options) =>
      guard(options, () => {
        for (const repairId of repairIds) check.checkOpaque(repairId, "repairId");
        return () => inner.finishRepairs(repairIds, options);
      }),
  };
}

function checkedIdentity(inner: DatabaseIdentity, guard: Guard): DatabaseIdentity {
  return {
    databaseMark: (options) => guard(options, () => () => inner.databaseMark(options)),
    advanceDatabase: (epoch, options) =>
      guard(options, () => {
        check.checkInteger(epoch, "epoch", { min: 0 });
        return () => inner.advanceDatabase(epoch, options);
      }),
    acceptDatabase: (accept, options) => guard(options, () => () => inner.acceptDatabase(accept, options)),
    checkIntegrity: (options) => guard(options, () => () => inner.checkIntegrity(options)),
  };
}

function checkedExamination(inner: MetadataExamination, guard: Guard): MetadataExamination {
  const checkLimit = ({ limit }: { readonly limit: number }): void =>
    check.checkInteger(limit, "limit", { min: 1, max: 10_000 });
  const paged =
    <Query extends { readonly limit: number }, Page>(
      run: (query: Query, options?: CallOptions) => Promise<Page>,
    ): ((query: Query, options?: CallOptions) => Promise<Page>) =>
    (query, options) =>
      guard(options, () => {
        checkLimit(query);
        return () => run(query, options);
      });
  return {
    listSegments: paged((query, options) => inner.listSegments(query, options)),
    examineObjects: paged((query, options) => inner.examineObjects(query, options)),
    examineManifests: paged((query, options) => inner.examineManifests(query, options)),
    listChunkRows: paged((query, options) => inner.listChunkRows(query, options)),
    manifestOwners: paged((query, options) => inner.manifestOwners(query, options)),
    chunkCounts: (chunkIds, options) =>
      guard(options, () => {
        check.checkDigests(chunkIds);
        return () => inner.chunkCounts(chunkIds, options);
      }),
  };
}

function checkedServers(inner: ServerRegistry & LayoutHistory, guard: Guard): ServerRegistry & LayoutHistory {
  return {
    registerServer: (registration, options) =>
      guard(options, () => {
        check.checkRegistration(registration);
        return () => inner.registerServer(registration, options);
      }),
    heartbeat: (serverId, stats, options) =>
      guard(options, () => {
        check.checkServerId(serverId);
        check.checkStats(stats);
        return () => inner.heartbeat(serverId, stats, options);
      }),
    stopServer: (serverId, options) =>
      guard(options, () => {
        check.checkServerId(serverId);
        return () => inner.stopServer(serverId, options);
      }),
    clusterSnapshot: (options) => guard(options, () => () => inner.clusterSnapshot(options)),
    recentLayouts: (query, options) =>
      guard(options, () => {
        check.checkInteger(query.forMs, "forMs", { min: 0 });
        check.checkInteger(query.limit, "limit", { min: 1, max: LIMITS.RECENT_LAYOUTS_MAX.value });
        return () => inner.recentLayouts(query, options);
      }),
    changeLayout: (change, options) =>
      guard(options, () => {
        if (change.replicationFactor !== undefined) {
          check.checkInteger(change.replicationFactor, "replicationFactor", {
            min: 1,
            max: LIMITS.REPLICATION_FACTOR_MAX.value,
          });
        }
        for (const [serverId, weight] of Object.entries(change.weights ?? {})) {
          check.checkServerId(serverId);
          check.checkWeight(weight);
        }
        for (const serverId of change.removeServerIds ?? []) check.checkServerId(serverId);
        return () => inner.changeLayout(change, options);
      }),
  };
}

function checkedCredentials(inner: CredentialCatalog, guard: Guard): CredentialCatalog {
  const roles: readonly string[] = ["admin", "readwrite", "readonly"];
  return {
    createApiKey: (record, options) =>
      guard(options, () => {
        check.checkOpaque(record.keyId, "keyId");
        check.checkText(record.name, "name");
        check.checkDigests([record.secretSha256]);
        if (!roles.includes(record.role)) check.invalid(`role is one of ${roles.join(", ")}`);
        if (record.scope !== undefined) check.checkScope(record.scope);
        if (record.expiresAtMs !== undefined) check.checkInteger(record.expiresAtMs, "expiresAtMs", { min: 0 });
        return () => inner.createApiKey(record, options);
      }),
    // A malformed key id is somebody's wrong credential, not a wrong call: it is simply unknown.
    findApiKey: (keyId, options) =>
      guard(options, () => () => (isOpaque(keyId) ? inner.findApiKey(keyId, options) : Promise.resolve(undefined))),
    listApiKeys: (options) => guard(options, () => () => inner.listApiKeys(options)),
    deleteApiKey: (keyId, options) =>
      guard(options, () => () => (isOpaque(keyId) ? inner.deleteApiKey(keyId, options) : Promise.resolve(false))),
    revokeToken: (revocation, options) =>
      guard(options, () => {
        check.checkOpaque(revocation.tokenId, "tokenId");
        check.checkInteger(revocation.expiresAtMs, "expiresAtMs", { min: 0 });
        return () => inner.revokeToken(revocation, options);
      }),
    isTokenRevoked: (tokenId, options) =>
      guard(options, () => () => (isOpaque(tokenId) ? inner.isTokenRevoked(tokenId, options) : Promise.resolve(false))),
  };
}

function isOpaque(value: string): boolean {
  try {
    check.checkOpaque(value, "id");
    return true;
  } catch {
    return false;
  }
}
