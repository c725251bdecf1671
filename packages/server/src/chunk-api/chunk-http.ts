import { type Digest, decodeDigestHex } from "@ashlar/sdk/hash";
import {
  DeleteChunkResponseSchema,
  encodeDeleteOutcome,
  encodePutChunkResult,
  PutChunkResponseSchema,
} from "@ashlar/sdk/rpc";
import type { HttpHandler, HttpRequest, HttpResponse } from "../http/http-handler.ts";
import { messageResponse } from "../http/json-response.ts";
import { methodNotAllowed } from "../http/method-not-allowed.ts";
import { trustCaller } from "../http/request-context.ts";
import { assertWholeBody, contentLength, durabilityOf, wholeNumber } from "../http/request-headers.ts";
import type { HttpRoute } from "../http/router.ts";

import { callerIdOf } from "./chunk-access.ts";
import type { ChunkApiContext } from "./chunk-api-context.ts";
import { readChunk } from "./chunk-http-read.ts";

const PATH = "/chunks/";

/** Serves `PUT/GET/HEAD/DELETE /chunks/<sha256>`, see docs/wire-protocol.md. */
export function chunkHttpRoutes(api: ChunkApiContext): readonly HttpRoute[] {
  const handler: HttpHandler = async (request) => {
    const chunkId = decodeDigestHex(request.path.slice(PATH.length));
    switch (request.method) {
      case "GET":
      case "HEAD":
        return await readChunk(api, request, chunkId);
      case "PUT":
        return await putChunk(api, request, chunkId);
      case "DELETE":
        return await deleteChunk(api, request, chunkId);
      default:
        return methodNotAllowed(request, ["GET", "HEAD", "PUT", "DELETE"]);
    }
  };
  return [{ path: PATH, name: "/chunks", handler, heldMaxBytes: api.heldMaxBytes }];
}

async function putChunk(api: ChunkApiContext, request: HttpRequest, chunkId: Digest): Promise<HttpResponse> {
  const { header, signal } = request;
  const caller = await api.access(header.get("authorization"), "write");
  trustCaller(request, callerIdOf(caller));
  assertWholeBody(header);
  const nodeId = header.get("ashlar-node-id") ?? undefined;
  const incoming = { chunkId, sizeBytes: contentLength(header), nodeId, durability: durabilityOf(header), signal };
  await api.writer.check(incoming);
  const result = await api.writer.write(caller, incoming, request.body);
  const answer = encodePutChunkResult(result, api.nodeId);
  const status = result.alreadyPresent ? 200 : 201;
  return messageResponse(PutChunkResponseSchema, answer, { status, header: NO_STORE });
}

async function deleteChunk(api: ChunkApiContext, request: HttpRequest, chunkId: Digest): Promise<HttpResponse> {
  const { header, signal } = request;
  await api.access(header.get("authorization"), "maintain");
  trustCaller(request);
  if (!api.maintenance) return methodNotAllowed(request, ["GET", "HEAD", "PUT"]);
  const unclaimedForMs = wholeNumber(header.get("ashlar-unclaimed-for-ms") ?? "0", "ashlar-unclaimed-for-ms");
  const outcomes = await api.store.deleteChunks([chunkId], { unclaimedForMs, signal });
  const answer = { outcomes: outcomes.map(encodeDeleteOutcome) };
  return messageResponse(DeleteChunkResponseSchema, answer, { header: NO_STORE });
}

const NO_STORE = Object.freeze({ "cache-control": "no-store" });
