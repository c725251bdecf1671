import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, decodeDigestHex } from "@ashlar/sdk/hash";
import { DURABILITIES, type Durability } from "@ashlar/sdk/ports";
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
import type { HttpRoute } from "../http/router.ts";
import { assertWholeBody } from "../http/whole-body.ts";
import { callerIdOf } from "./chunk-access.ts";
import type { ChunkFaceContext } from "./chunk-face-context.ts";
import { readChunk } from "./chunk-http-read.ts";

const PATH = "/chunks/";

/** Serves `PUT/GET/HEAD/DELETE /chunks/<sha256>`, see docs/wire-protocol.md. */
export function chunkHttpRoutes(face: ChunkFaceContext): readonly HttpRoute[] {
  const handler: HttpHandler = async (request) => {
    const chunkId = decodeDigestHex(request.path.slice(PATH.length));
    switch (request.method) {
      case "GET":
      case "HEAD":
        return await readChunk(face, request, chunkId);
      case "PUT":
        return await putChunk(face, request, chunkId);
      case "DELETE":
        return await deleteChunk(face, request, chunkId);
      default:
        return methodNotAllowed(request, ["GET", "HEAD", "PUT", "DELETE"]);
    }
  };
  return [{ path: PATH, name: "/chunks", handler, heldMaxBytes: face.heldMaxBytes }];
}

async function putChunk(face: ChunkFaceContext, request: HttpRequest, chunkId: Digest): Promise<HttpResponse> {
  const { header, signal } = request;
  const caller = await face.access(header.get("authorization"), "write");
  trustCaller(request, callerIdOf(caller));
  assertWholeBody(header);
  const serverId = header.get("ashlar-server-id") ?? undefined;
  const incoming = { chunkId, sizeBytes: declaredSize(header), serverId, durability: durabilityOf(header), signal };
  await face.writer.check(incoming);
  const result = await face.writer.write(caller, incoming, request.body);
  const answer = encodePutChunkResult(result, face.serverId);
  const status = result.alreadyPresent ? 200 : 201;
  return messageResponse(PutChunkResponseSchema, answer, { status, header: NO_STORE });
}

async function deleteChunk(face: ChunkFaceContext, request: HttpRequest, chunkId: Digest): Promise<HttpResponse> {
  const { header, signal } = request;
  await face.access(header.get("authorization"), "maintain");
  trustCaller(request);
  if (!face.maintenance) return methodNotAllowed(request, ["GET", "HEAD", "PUT"]);
  const unclaimedForMs = wholeNumber(header.get("ashlar-unclaimed-for-ms") ?? "0", "ashlar-unclaimed-for-ms");
  const outcomes = await face.store.deleteChunks([chunkId], { unclaimedForMs, signal });
  const answer = { outcomes: outcomes.map(encodeDeleteOutcome) };
  return messageResponse(DeleteChunkResponseSchema, answer, { header: NO_STORE });
}

const NO_STORE = Object.freeze({ "cache-control": "no-store" });

function declaredSize(header: Headers): number | undefined {
  const text = header.get("content-length");
  return text === null ? undefined : wholeNumber(text, "content-length");
}

function durabilityOf(header: Headers): Durability | undefined {
  const text = header.get("ashlar-durability");
  if (text === null) return undefined;
  const durability = DURABILITIES.find((known) => known === text);
  if (durability === undefined) throw new AshlarError("INVALID_ARGUMENT", "ashlar-durability is strict, batched or os");
  return durability;
}

function wholeNumber(text: string, name: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new AshlarError("INVALID_ARGUMENT", `${name} is a whole number`, { details: { field: name } });
}
