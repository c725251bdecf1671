import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { assertMayRead } from "../grants/index.ts";
import { contentRange, parseByteRange } from "../http/byte-range.ts";
import { judgeRead, rangeApplies } from "../http/conditions.ts";
import { FOREIGN_CONTENT_HEADERS } from "../http/foreign-content.ts";
import type { HttpRequest, HttpResponse } from "../http/http-handler.ts";
import { problemResponse } from "../http/problem.ts";
import { answerBudgetOf, trustCaller } from "../http/request-context.ts";
import { callerIdOf } from "./chunk-access.ts";
import type { ChunkApiContext } from "./chunk-api-context.ts";
import { chunkSize, openChunk } from "./open-chunk.ts";

/** A chunk never changes, but only its reader may have it: no shared cache may keep it. */
const CACHE_CONTROL = "private, max-age=31536000, immutable";

/**
 * Answers GET and HEAD of a chunk: whole, one range (several are answered with the whole), or 304.
 *
 * A failure after the first slice cuts the connection, so that a short body is never taken for the whole.
 */
export async function readChunk(api: ChunkApiContext, request: HttpRequest, chunkId: Digest): Promise<HttpResponse> {
  const caller = await api.access(request.header.get("authorization"), "read");
  trustCaller(request, callerIdOf(caller));
  if (caller.kind === "read") assertMayRead(caller, chunkId);
  const etag = encodeHex(chunkId);
  const header = new Headers({ etag: `"${etag}"`, "cache-control": CACHE_CONTROL, "accept-ranges": "bytes" });
  const verdict = judgeRead(request.header, { etag });
  if (verdict !== "proceed") {
    await chunkSize(api.store, chunkId, request.signal);
    if (verdict === "not-modified") return { status: 304, header };
    throw new AshlarError("PRECONDITION_FAILED", "a chunk's etag is its digest", { details: { etag } });
  }
  header.set("content-type", "application/octet-stream");
  for (const [name, value] of Object.entries(FOREIGN_CONTENT_HEADERS)) header.set(name, value);
  if (request.method === "HEAD") {
    header.set("content-length", String(await chunkSize(api.store, chunkId, request.signal)));
    return { status: 200, header };
  }
  return await getChunk(api, request, { chunkId, etag, header });
}

async function getChunk(
  api: ChunkApiContext,
  request: HttpRequest,
  { chunkId, etag, header }: { readonly chunkId: Digest; readonly etag: string; readonly header: Headers },
): Promise<HttpResponse> {
  // The range is ignored if `if-range` names another state than this one (RFC 9110 §13.1.5).
  const rangeHeader = rangeApplies(request.header, { etag }, 0) ? request.header.get("range") : null;
  const range = parseByteRange(rangeHeader);
  try {
    const { signal } = request;
    const opened = await openChunk(await api.readFrom({ signal }), chunkId, {
      ...{ range, signal, buffers: api.buffers, wholeInOneCall: api.wholeInOneCall, onAbsent: api.onAbsent },
      budget: answerBudgetOf(request),
    });
    header.set("content-length", String(opened.length));
    if (range !== undefined) header.set("content-range", contentRange(opened, opened.sizeBytes));
    return { status: range === undefined ? 200 : 206, header, body: opened.whole ?? { pieces: opened.pieces } };
  } catch (error) {
    if (!AshlarError.is(error, "INVALID_RANGE")) throw error;
    const { requestId } = request;
    return problemResponse(error, { requestId, header: { "content-range": `bytes */${error.details.sizeBytes}` } });
  }
}
