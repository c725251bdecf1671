import type { MessageInitShape } from "@bufbuild/protobuf";
import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import { loadPart } from "../internal/load-part.ts";
import * as LIMITS from "../limit-values.ts";
import { CheckedWholeChunks } from "../ports/checked-whole-chunks.ts";
import type { GetChunkOptions, ProvingChunkStore, PutChunkOptions, PutChunkResult } from "../ports/index.ts";
import {
  decodeChunkPage,
  decodeChunkStoreStats,
  decodeDeleteOutcome,
  decodePutChunkResult,
  encodeDeleteChunk,
  type PutChunkRequestSchema,
} from "../rpc/chunk-messages.ts";
import { encodeDurability } from "../rpc/durability.ts";
import { decodeInteger, decodeText, encodeInteger } from "../rpc/integers.ts";
import { type ChunkAssembly, createChunkAssembly } from "./chunk-assembly.ts";
import { undefinedIf } from "./connection.ts";
import { expectOnePerId, remoteCapabilities } from "./remote-capabilities.ts";
import type { HeardCallOptions, RpcConnection } from "./rpc-connection.ts";

/** Frames in both directions: the largest that the contract allows, because each frame costs the same time (measured in the transport benchmark). */
const FRAME_BYTES = LIMITS.FRAME_MAX_BYTES;
/** With `onProgress`: ten frames a second even at 0.6 MiB/s (tests/conformance/cases/progress.ts). */
const WATCHED_FRAME_BYTES = LIMITS.FRAME_DEFAULT_BYTES;

const frameBytesFor = (options: { readonly onProgress?: unknown } | undefined): number =>
  options?.onProgress === undefined ? FRAME_BYTES : WATCHED_FRAME_BYTES;

/**
 * The ChunkService of a node or gateway as a chunk store.
 *
 * @param clientStreaming whether large chunks are sent with PutChunk in frames, with progress; otherwise each is one WriteChunk message.
 *   A chunk of one frame is always one message.
 */
export function createRpcChunkStore(connection: RpcConnection, clientStreaming: boolean): ProvingChunkStore {
  const { chunks, call } = connection;
  const store = new CheckedWholeChunks({
    capabilities: remoteCapabilities(connection.endpoint),
    async putChunk(chunkId, bytes, options) {
      const streamed = clientStreaming && bytes.byteLength > frameBytesFor(options);
      const put = streamed ? putInFrames : putInOneMessage;
      const result = await call(options, (rpc) => put(connection, { chunkId, bytes, options, rpc }));
      options?.onProgress?.(bytes.byteLength);
      return result;
    },
    getChunk(chunkId, options) {
      const read = call(options, (rpc) => getInFrames(connection, { chunkId, options, rpc }));
      return undefinedIf("CHUNK_NOT_FOUND", read);
    },
    async hasChunks(chunkIds, options) {
      if (chunkIds.length === 0) return [];
      const answer = await call(options, (rpc) =>
        chunks.hasChunks({ chunkIds: [...chunkIds], claim: options.claim }, rpc),
      );
      expectOnePerId(answer.chunks.length, chunkIds.length);
      return answer.chunks.map(({ present, sizeBytes }) =>
        present ? { sizeBytes: decodeInteger(sizeBytes, "sizeBytes") } : undefined,
      );
    },
    async deleteChunks(chunkIds, options) {
      if (chunkIds.length === 0) return [];
      const request = encodeDeleteChunk(chunkIds, options);
      const answer = await call(options, (rpc) => chunks.deleteChunk(request, rpc));
      expectOnePerId(answer.outcomes.length, chunkIds.length);
      return answer.outcomes.map(decodeDeleteOutcome);
    },
    async listChunks(options) {
      const request = { cursor: options?.cursor ?? "", limit: options?.limit ?? 0 };
      return decodeChunkPage(await call(options, (rpc) => chunks.listChunks(request, rpc)));
    },
    async stats(options) {
      return decodeChunkStoreStats(await call(options, (rpc) => chunks.healthCheck({}, rpc)));
    },
    close: () => connection.close(),
  });
  return Object.assign(store, {
    proveChunk: async (...[chunkId, prove, options]: Parameters<ProvingChunkStore["proveChunk"]>) => {
      const { proveChunk } = await loadPart(() => import("./prove-chunk.ts"));
      return await proveChunk(async (proofs) => {
        const request = { chunkIds: [chunkId], claim: true, proofs: [...proofs] };
        const [answer] = (await call(options, (rpc) => chunks.hasChunks(request, rpc))).chunks;
        const { present = false, sizeBytes = 0n, nonce = new Uint8Array(0), receipt = "" } = answer ?? {};
        return { present, sizeBytes: decodeInteger(sizeBytes, "sizeBytes"), nonce, receipt: decodeText(receipt) };
      }, prove);
    },
  });
}

interface PutCall {
  readonly chunkId: Digest;
  readonly bytes: Uint8Array;
  readonly options: PutChunkOptions | undefined;
  readonly rpc: HeardCallOptions;
}

async function putInOneMessage(connection: RpcConnection, put: PutCall): Promise<PutChunkResult> {
  const { chunkId, bytes, options, rpc } = put;
  const onProgress = options?.onProgress;
  // The message is some bytes longer than the chunk.
  const report = (sentBytes: number): void => {
    rpc.heard();
    onProgress?.(Math.min(sentBytes, bytes.byteLength));
  };
  const chunks = await connection.watchedChunks(onProgress && report);
  const durability = encodeDurability(options?.durability);
  return decodePutChunkResult(await chunks.writeChunk({ chunkId, data: bytes, durability }, rpc));
}

async function putInFrames({ chunks }: RpcConnection, put: PutCall): Promise<PutChunkResult> {
  return decodePutChunkResult(await chunks.putChunk(framesOf(put), put.rpc));
}

async function* framesOf(put: PutCall): AsyncGenerator<MessageInitShape<typeof PutChunkRequestSchema>> {
  const { chunkId, bytes, options } = put;
  const sizeBytes = encodeInteger(bytes.byteLength);
  const frameBytes = frameBytesFor(options);
  yield {
    payload: { case: "header", value: { chunkId, sizeBytes, durability: encodeDurability(options?.durability) } },
  };
  for (let offset = 0; offset < bytes.byteLength; offset += frameBytes) {
    yield { payload: { case: "frame", value: bytes.subarray(offset, offset + frameBytes) } };
    // The transport asks for the next frame, so it has taken this one.
    put.rpc.heard();
    options?.onProgress?.(Math.min(offset + frameBytes, bytes.byteLength));
  }
}

interface GetCall {
  readonly chunkId: Digest;
  readonly options: GetChunkOptions | undefined;
  readonly rpc: HeardCallOptions;
}

/** Reads into one buffer of the wanted size, frame by frame; the first message has the size of the chunk. */
async function getInFrames({ chunks }: RpcConnection, { chunkId, options, rpc }: GetCall): Promise<Uint8Array> {
  const offset = options?.offset ?? 0;
  const request = {
    chunkId,
    offset: encodeInteger(offset),
    length: encodeInteger(options?.length ?? 0),
    frameBytes: frameBytesFor(options),
  };
  let assembly: ChunkAssembly | undefined;
  for await (const message of chunks.getChunk(request, rpc)) {
    if (assembly === undefined) {
      const rest = decodeInteger(message.chunkSizeBytes, "chunkSizeBytes") - offset;
      options?.onSize?.(offset + rest);
      assembly = createChunkAssembly(Math.min(options?.length ?? rest, rest), options?.onProgress);
    }
    rpc.heard();
    assembly.add(message.frame);
  }
  if (assembly === undefined) throw new AshlarError("NODE_UNAVAILABLE", "the answer has no frame");
  return assembly.finish();
}
