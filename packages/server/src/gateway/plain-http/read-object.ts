import { AshlarError } from "@ashlar/sdk/errors";
import type { ByteRange, ObjectInfo } from "@ashlar/sdk/ports";
import { contentRange, parseByteRange } from "../../http/byte-range.ts";
import { judgeRead, rangeApplies } from "../../http/conditions.ts";
import type { HttpRequest, HttpResponse } from "../../http/http-handler.ts";
import { begun, type StreamedBody } from "../../http/piece.ts";
import { problemResponse } from "../../http/problem.ts";
import type { ReadableObject } from "../own-chunks.ts";
import { encodeHeaderText } from "./header-text.ts";
import { objectHeaders, validatorHeaders } from "./object-headers.ts";
import type { PlainHttpRequest } from "./plain-http-request.ts";

/** `GET /objects/<bucket>/<key>`. */
export async function getObject(rest: PlainHttpRequest): Promise<HttpResponse> {
  const { request } = rest;
  const { header } = request;
  const opened = await open(rest, parseByteRange(header.get("range")));
  if ("status" in opened) return opened;
  const { info, offset, length, range } = opened;
  const early = answerByCondition(header, info);
  if (early !== undefined) return early;
  if (range !== undefined && length === 0) return unsatisfiable(request, info.sizeBytes);
  const answer = objectHeaders(info);
  answer.set("content-length", String(length));
  if (range !== undefined) answer.set("content-range", contentRange({ offset, length }, info.sizeBytes));
  return { status: range === undefined ? 200 : 206, header: answer, body: await bodyOf(opened) };
}

/** If the chunks lie in this process, their pieces go to the socket as they are read; otherwise the engine's slices do. */
async function bodyOf(opened: ReadableObject): Promise<StreamedBody> {
  return opened.pieces === undefined ? await begun(opened.read()) : { pieces: await begun(opened.pieces("lent")) };
}

/** `HEAD /objects/<bucket>/<key>`; a range makes no difference. */
export async function headObject({ gateway, bucket, key, request, call }: PlainHttpRequest): Promise<HttpResponse> {
  const info = await gateway.perform("headObject", { bucket, key }, call);
  const early = answerByCondition(request.header, info);
  if (early !== undefined) return early;
  const answer = objectHeaders(info);
  answer.set("content-length", String(info.sizeBytes));
  return { status: 200, header: answer };
}

interface Opened extends ReadableObject {
  /** The range that is answered: `undefined` for the whole object. */
  readonly range: ByteRange | undefined;
}

/** Opens an object. Whether a range applies depends on the object version that was opened, not on an earlier one. */
async function open(
  { gateway, bucket, key, request, call }: PlainHttpRequest,
  range: ByteRange | undefined,
): Promise<HttpResponse | Opened> {
  const { header } = request;
  const isPartial = (info: ObjectInfo): boolean =>
    range === undefined || rangeApplies(header, info, gateway.clock.nowMs());
  try {
    const opened = await gateway.perform("getObject", { bucket, key, range }, call);
    if (isPartial(opened.info)) return { ...opened, range };
  } catch (error) {
    if (!AshlarError.is(error, "INVALID_RANGE")) throw error;
    // A condition is checked before a range, so that a client with a stale copy learns that first.
    const info = await gateway.perform("headObject", { bucket, key }, call);
    const early = answerByCondition(header, info);
    if (early !== undefined) return early;
    if (isPartial(info)) return unsatisfiable(request, info.sizeBytes);
  }
  return { ...(await gateway.perform("getObject", { bucket, key }, call)), range: undefined };
}

function answerByCondition(header: Headers, info: ObjectInfo): HttpResponse | undefined {
  const verdict = judgeRead(header, info);
  if (verdict === "proceed") return undefined;
  if (verdict === "failed") {
    throw new AshlarError("PRECONDITION_FAILED", "the object is in another state", { details: { etag: info.etag } });
  }
  const answer = new Headers(validatorHeaders(info));
  const { cacheControl, expires } = info.attributes;
  if (cacheControl !== undefined) answer.set("cache-control", encodeHeaderText(cacheControl));
  if (expires !== undefined) answer.set("expires", encodeHeaderText(expires));
  answer.set("ashlar-error-code", "NOT_MODIFIED");
  return { status: 304, header: answer };
}

function unsatisfiable(request: HttpRequest, sizeBytes: number): HttpResponse {
  const error = new AshlarError("INVALID_RANGE", `the range lies outside of the ${sizeBytes} bytes of the object`, {
    details: { sizeBytes: String(sizeBytes) },
  });
  return problemResponse(error, { requestId: request.requestId, header: { "content-range": `bytes */${sizeBytes}` } });
}
