import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS, MIB } from "@ashlar/sdk/limits";
import { isStreamingChunkStore } from "@ashlar/sdk/ports";
import type { HttpRoute } from "../http/router.ts";
import type { RpcRoutes } from "../http/rpc/rpc-handlers.ts";
import { createChunkAccess } from "./chunk-access.ts";
import type { ChunkApiContext } from "./chunk-api-context.ts";
import type { ChunkApiOptions, ReceiptFacts } from "./chunk-api-options.ts";
import { chunkHttpRoutes } from "./chunk-http.ts";
import { createPieceBuffers } from "./chunk-pieces.ts";
import { chunkRpcRoutes } from "./chunk-service.ts";
import { createChunkWriter } from "./chunk-writer.ts";

/** The chunk API of a server, to be mounted with `createServerHandlers`. */
export interface ChunkApi {
  readonly rpcRoutes: RpcRoutes;
  readonly httpRoutes: readonly HttpRoute[];
}

/** What a streaming store holds of a chunk: its two buffers, and a slice on its way. */
const STREAM_HELD_BYTES = 3 * MIB;

/**
 * Serves a chunk store as ChunkService and as plain HTTP.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a chunk limit that is not 1 to CHUNK_MAX_BYTES.
 */
export function createChunkApi(options: ChunkApiOptions): ChunkApi {
  const { store, grants, nodeId } = options;
  const chunkMaxBytes =
    options.chunkMaxBytes ?? Math.min(store.capabilities.chunkMaxBytes, LIMITS.CHUNK_MAX_BYTES_DEFAULT);
  if (!Number.isSafeInteger(chunkMaxBytes) || chunkMaxBytes < 1 || chunkMaxBytes > LIMITS.CHUNK_MAX_BYTES) {
    throw new AshlarError("INVALID_ARGUMENT", `chunkMaxBytes is 1 to ${LIMITS.CHUNK_MAX_BYTES}`);
  }
  const issueReceipt =
    options.issueReceipt ??
    (async ({ ticketId, chunkId, sizeBytes, notAfterMs }: ReceiptFacts) =>
      (await grants?.issueNodeReceipt({ ticketId, chunkId, sizeBytes, nodeId }, { notAfterMs })) ?? "");
  const receiptsEndMs = (): number | undefined => grants?.receiptsEndMs();
  const { assertWritable, onWriteFailed, onAbsent, hasher } = options;
  const api: ChunkApiContext = {
    store,
    grants,
    nodeId,
    chunkMaxBytes,
    issueReceipt,
    hasher,
    status: options.status,
    uptimeMs: options.uptimeMs,
    softwareVersion: options.softwareVersion,
    access: createChunkAccess(grants, options.status),
    writer: createChunkWriter({
      ...{ store, nodeId, chunkMaxBytes, hasher },
      ...{ issueReceipt, receiptsEndMs, assertWritable, onWriteFailed },
    }),
    // A gateway passes a chunk on to several nodes, each of which may need it again.
    heldMaxBytes: isStreamingChunkStore(store) && options.maintenance !== false ? STREAM_HELD_BYTES : chunkMaxBytes,
    readFrom: options.readFrom ?? (async () => store),
    wholeInOneCall: options.wholeInOneCall ?? false,
    onAbsent,
    buffers: options.buffers ?? createPieceBuffers(),
    maintenance: options.maintenance ?? true,
    proofsOfPossession: options.proofsOfPossession ?? false,
  };
  return { rpcRoutes: chunkRpcRoutes(api), httpRoutes: chunkHttpRoutes(api) };
}
