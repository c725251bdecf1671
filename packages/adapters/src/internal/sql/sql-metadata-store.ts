import {
  type CallOptions,
  type MetadataStore,
  type MetadataStoreCapabilities,
  metadataMethods,
  type RunOperation,
  type WriteOptions,
} from "@ashlar/sdk/ports";
import { decodeSegments } from "./examination-operations.ts";
import type { LayoutPolicy } from "./node-operations.ts";
import type { SqlOperationInput, SqlOperationName, SqlOperationOutput } from "./operations.ts";

/** Runs operations on a database. */
export interface SqlExecutor {
  execute<Name extends SqlOperationName>(
    name: Name,
    input: SqlOperationInput<Name>,
    options?: WriteOptions,
  ): Promise<SqlOperationOutput<Name>>;
  close(): Promise<void>;
}

/** What a store is made of. */
export interface SqlMetadataStoreParts {
  readonly executor: SqlExecutor;
  readonly capabilities: MetadataStoreCapabilities;
  readonly layoutPolicy: LayoutPolicy;
}

/** The port over the operations: each method is the operation of its name, except five. Wrap it with checkedMetadataStore. */
export function createSqlMetadataStore(parts: SqlMetadataStoreParts): MetadataStore {
  const { executor, capabilities, layoutPolicy: policy } = parts;
  const execute: SqlExecutor["execute"] = (name, input, options) => executor.execute(name, input, options);
  return {
    capabilities,
    ...metadataMethods(execute as unknown as RunOperation),
    registerNode: (registration, options) => execute("registerNode", { registration, policy }, options),
    leaveOutNode: (query, options) => execute("leaveOutNode", { query, policy }, options),
    changeLayout: (change, options) => execute("changeLayout", { change, policy }, options),
    listSegments: async (query, options) => decodeSegments(await execute("listStoredSegments", query, options)),
    dropReleasedManifests: (query, options) => dropReleased(executor, query, options),
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
