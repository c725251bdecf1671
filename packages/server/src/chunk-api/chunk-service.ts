import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import { KIB, LIMITS } from "@ashlar/sdk/limits";
import {
  ChunkService,
  decodeCount,
  decodeDeleteChunk,
  decodeDurability,
  decodeInteger,
  decodeText,
  encodeChunkPage,
  encodeChunkStoreStats,
  encodeDeleteOutcome,
  encodeInteger,
  encodePutChunkResult,
  type GetChunkRequestMessage,
  HealthCheckResponse_Status as Status,
  type WriteChunkRequestMessage,
} from "@ashlar/sdk/rpc";
import { type ContextKey, createContextKey, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { assertMayRead } from "../grants/index.ts";
import { bytesOf } from "../http/piece.ts";
import { noteCaller, REQUEST_CONTEXT } from "../http/request-context.ts";
import { frameSize, framesOf } from "../http/rpc/frames.ts";
import type { RpcGate, RpcRoutes } from "../http/rpc/rpc-handlers.ts";
import { type ChunkAction, type ChunkCaller, callerIdOf } from "./chunk-access.ts";
import type { ChunkApiContext } from "./chunk-api-context.ts";
import type { ChunkApiStatus } from "./chunk-api-options.ts";
import type { IncomingChunk } from "./chunk-writer.ts";
import { heldChunks, heldChunksFor } from "./held-chunks.ts";
import { openChunk } from "./open-chunk.ts";
import { readPutChunk } from "./put-chunk-frames.ts";
import { createRecentStats } from "./recent-stats.ts";

const CALLER: ContextKey<ChunkCaller | undefined> = createContextKey<ChunkCaller | undefined>(undefined, {
  description: "caller of a chunk API",
});

const STATUS: Readonly<Record<ChunkApiStatus, Status>> = {
  serving: Status.SERVING,
  "read-only": Status.READ_ONLY,
  stopping: Status.STOPPING,
};

/** Serves ChunkService. A caller that may not call is refused at the gate, before a body is read. */
export function chunkRpcRoutes(api: ChunkApiContext): RpcRoutes {
  const gate = (action: ChunkAction): RpcGate => {
    return async (context) => {
      const caller = await api.access(context.requestHeader.get("authorization"), action);
      context.values.set(CALLER, caller);
      noteCaller(context.values, callerIdOf(caller));
    };
  };
  const service = createChunkService(api);
  const { method } = ChunkService;
  return (router, options) => {
    const frames = LIMITS.FRAME_MAX_BYTES + 4 * KIB;
    router.rpc(method.putChunk, service.putChunk, options.bulk(frames, gate("write"), api.heldMaxBytes));
    router.rpc(method.writeChunk, service.writeChunk, options.bulk(api.chunkMaxBytes, gate("write")));
    router.rpc(method.getChunk, service.getChunk, options.control(gate("read")));
    router.rpc(method.hasChunks, service.hasChunks, options.control(gate("claim")));
    router.rpc(method.deleteChunk, service.deleteChunk, options.control(gate("maintain")));
    router.rpc(method.listChunks, service.listChunks, options.control(gate("maintain")));
    router.rpc(method.healthCheck, service.healthCheck, options.control());
  };
}

function callerOf(context: HandlerContext): ChunkCaller {
  const caller = context.values.get(CALLER);
  if (caller === undefined) throw new AshlarError("UNAUTHENTICATED", "the call did not pass its gate");
  return caller;
}

function createChunkService(api: ChunkApiContext): ServiceImpl<typeof ChunkService> {
  const { store, nodeId, writer } = api;
  const recentStats = createRecentStats(store, api.uptimeMs);
  return {
    async putChunk(requests, context) {
      const { chunk, frames } = await readPutChunk(requests);
      const incoming = { ...chunk, signal: context.signal };
      await writer.check(incoming);
      return encodePutChunkResult(await writer.write(callerOf(context), incoming, frames), nodeId);
    },
    async writeChunk(request, context) {
      const incoming = incomingChunk(request, context.signal);
      await writer.check(incoming);
      return encodePutChunkResult(await writer.writeBytes(callerOf(context), incoming, request.data), nodeId);
    },
    getChunk: (request, context) => getChunk(api, request, context),
    async hasChunks(request, context) {
      const chunkIds = distinctIds(request.chunkIds);
      const asked = { chunkIds, claim: request.claim, proofs: request.proofs, signal: context.signal };
      const caller = callerOf(context);
      const held =
        caller.kind === "write" && api.grants !== undefined
          ? await heldChunksFor(caller, api.grants, asked, api)
          : await heldChunks(asked, api);
      return {
        chunks: held.map(({ present, sizeBytes, nonce = NO_BYTES, receipt = "" }) => {
          return { present, sizeBytes: encodeInteger(sizeBytes), nonce: Uint8Array.from(nonce), receipt };
        }),
      };
    },
    async deleteChunk(request, context) {
      assertMaintenance(api);
      const chunkIds = distinctIds(request.chunkIds);
      const outcomes = await store.deleteChunks(chunkIds, { ...decodeDeleteChunk(request), signal: context.signal });
      return { outcomes: outcomes.map(encodeDeleteOutcome) };
    },
    async listChunks(request, context) {
      assertMaintenance(api);
      const cursor = decodeText(request.cursor);
      const limit = decodeCount(request.limit);
      return encodeChunkPage(await store.listChunks({ cursor, limit, signal: context.signal }));
    },
    async healthCheck(_request, context) {
      const stats = await recentStats({ fresh: await isOfCluster(api, context), signal: context.signal });
      return {
        ...encodeChunkStoreStats(stats),
        status: STATUS[api.status()],
        nodeId,
        uptimeMs: encodeInteger(Math.floor(api.uptimeMs())),
        softwareVersion: api.softwareVersion,
        chunkMaxBytes: encodeInteger(api.chunkMaxBytes),
      };
    },
  };
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Refuses ids that occur twice: asking again in the same call would only multiply what one answer costs, or tells. */
function distinctIds(chunkIds: readonly Uint8Array[]): Digest[] {
  const digests = chunkIds.map(digestFromBytes);
  if (new Set(digests.map(encodeHex)).size === digests.length) return digests;
  throw new AshlarError("INVALID_ARGUMENT", "a chunk id occurs twice; name each once");
}

/** HealthCheck needs no grant, but a caller with a cluster grant gets current figures. */
async function isOfCluster(api: ChunkApiContext, context: HandlerContext): Promise<boolean> {
  const authorization = context.requestHeader.get("authorization");
  if (api.grants !== undefined && authorization === null) return false;
  return await api.access(authorization, "maintain").then(
    () => true,
    () => false,
  );
}

async function* getChunk(api: ChunkApiContext, request: GetChunkRequestMessage, context: HandlerContext) {
  const chunkId = digestFromBytes(request.chunkId);
  const caller = callerOf(context);
  if (caller.kind === "read") assertMayRead(caller, chunkId);
  const offset = decodeInteger(request.offset, "offset");
  const length = decodeInteger(request.length, "length");
  const frameBytes = frameSize(request.frameBytes);
  const { signal } = context;
  // Its pieces are not lent: only the library knows when a frame was copied into its message.
  const opened = await openChunk(await api.readFrom({ signal }), chunkId, {
    range: { offset, length: length === 0 ? undefined : length },
    budget: context.values.get(REQUEST_CONTEXT).answerBudget,
    wholeInOneCall: api.wholeInOneCall,
    onAbsent: api.onAbsent,
    signal,
  });
  let chunkSizeBytes = encodeInteger(opened.sizeBytes);
  for await (const frame of framesOf(bytesOf(opened.pieces), frameBytes)) {
    yield { frame, chunkSizeBytes };
    chunkSizeBytes = 0n;
  }
}

function assertMaintenance({ maintenance }: ChunkApiContext): void {
  if (!maintenance) throw new AshlarError("UNSUPPORTED", "this server holds no chunks of its own; ask the nodes");
}

function incomingChunk(request: WriteChunkRequestMessage, signal: AbortSignal): IncomingChunk {
  return {
    chunkId: digestFromBytes(request.chunkId),
    sizeBytes: request.data.byteLength,
    nodeId: decodeText(request.nodeId),
    durability: decodeDurability(request.durability),
    signal,
  };
}
