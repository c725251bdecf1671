import type { CallOptions, MetadataStore, MetadataStoreCapabilities, WriteOptions } from "@ashlar/sdk/ports";
import { decodeSegments } from "./examination-operations.ts";
import type { OperationInput, OperationName, OperationOutput } from "./operations.ts";
import type { LayoutPolicy } from "./server-operations.ts";

/** Runs operations on a database. */
export interface SqlExecutor {
  execute<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
    options?: WriteOptions,
  ): Promise<OperationOutput<Name>>;
  close(): Promise<void>;
}

/** What a store is made of. */
export interface SqlMetadataStoreParts {
  readonly executor: SqlExecutor;
  readonly capabilities: MetadataStoreCapabilities;
  readonly layoutPolicy: LayoutPolicy;
}

/** The port over the operations; wrap it with checkedMetadataStore. */
export function createSqlMetadataStore({
  executor,
  capabilities,
  layoutPolicy: policy,
}: SqlMetadataStoreParts): MetadataStore {
  const execute: SqlExecutor["execute"] = (name, input, options) => executor.execute(name, input, options);
  return {
    capabilities,
    createBucket: (bucket, options) => execute("createBucket", bucket, options),
    getBucket: (bucket, options) => execute("getBucket", bucket, options),
    listBuckets: (options) => execute("listBuckets", undefined, options),
    deleteBucket: (bucket, options) => execute("deleteBucket", bucket, options),
    commitObject: (commit, options) => execute("commitObject", commit, options),
    getObject: (query, options) => execute("getObject", query, options),
    getManifestPage: (query, options) => execute("getManifestPage", query, options),
    deleteObject: (query, options) => execute("deleteObject", query, options),
    listObjects: (query, options) => execute("listObjects", query, options),
    copyObject: (copy, options) => execute("copyObject", copy, options),
    createUpload: (create, options) => execute("createUpload", create, options),
    getUpload: (uploadId, options) => execute("getUpload", uploadId, options),
    putPart: (part, options) => execute("putPart", part, options),
    listParts: (query, options) => execute("listParts", query, options),
    listUploads: (query, options) => execute("listUploads", query, options),
    completeUpload: (complete, options) => execute("completeUpload", complete, options),
    abortUpload: (uploadId, options) => execute("abortUpload", uploadId, options),
    dropReleasedManifests: (query, options) => dropReleased(executor, query, options),
    abortStaleUploads: (query, options) => execute("abortStaleUploads", query, options),
    markCollecting: (query, options) => execute("markCollecting", query, options),
    finishCollecting: (outcomes, options) => execute("finishCollecting", outcomes, options),
    knowsChunks: (chunkIds, options) => execute("knowsChunks", chunkIds, options),
    listRepairs: (query, options) => execute("listRepairs", query, options),
    finishRepairs: (repairIds, options) => execute("finishRepairs", repairIds, options),
    registerServer: (registration, options) => execute("registerServer", { registration, policy }, options),
    heartbeat: (serverId, stats, options) => execute("heartbeat", { serverId, stats }, options),
    stopServer: (serverId, options) => execute("stopServer", serverId, options),
    clusterSnapshot: (options) => execute("clusterSnapshot", undefined, options),
    recentLayouts: (query, options) => execute("recentLayouts", query, options),
    changeLayout: (change, options) => execute("changeLayout", { change, policy }, options),
    createApiKey: (record, options) => execute("createApiKey", record, options),
    findApiKey: (keyId, options) => execute("findApiKey", keyId, options),
    listApiKeys: (options) => execute("listApiKeys", undefined, options),
    deleteApiKey: (keyId, options) => execute("deleteApiKey", keyId, options),
    revokeToken: (revocation, options) => execute("revokeToken", revocation, options),
    isTokenRevoked: (tokenId, options) => execute("isTokenRevoked", tokenId, options),
    databaseMark: (options) => execute("databaseMark", undefined, options),
    advanceDatabase: (epoch, options) => execute("advanceDatabase", epoch, options),
    acceptDatabase: (accept, options) => execute("acceptDatabase", accept, options),
    checkIntegrity: (options) => execute("checkIntegrity", undefined, options),
    listSegments: async (query, options) => decodeSegments(await execute("listSegments", query, options)),
    chunkCounts: (chunkIds, options) => execute("chunkCounts", chunkIds, options),
    examineObjects: (query, options) => execute("examineObjects", query, options),
    examineManifests: (query, options) => execute("examineManifests", query, options),
    listChunkRows: (query, options) => execute("listChunkRows", query, options),
    manifestOwners: (query, options) => execute("manifestOwners", query, options),
    ping: (options) => execute("ping", undefined, options),
    close: () => executor.close(),
  };
}

/** Many small transactions, so that dropping a manifest of a million chunks never locks more than some thousand rows at once. */
async function dropReleased(
  executor: SqlExecutor,
  query: { readonly graceMs: number; readonly limit: number },
  options: CallOptions | undefined,
): Promise<number> {
  let dropped = 0;
  while (dropped < query.limit && options?.signal?.aborted !== true) {
    const step = await executor.execute("dropReleasedStep", { ...query, limit: query.limit - dropped }, options);
    dropped += step.droppedCount;
    if (!step.progressed) break;
  }
  return dropped;
}
