import { AshlarError } from "@ashlar/sdk/errors";
import { isDigestHex } from "@ashlar/sdk/hash";
import type { CopyObject } from "@ashlar/sdk/ports";
import { CopyObjectResponseSchema, encodeObjectInfo, encodePutOutcome, PutObjectOutcomeSchema } from "@ashlar/sdk/rpc";
import { writeCondition } from "../../http/conditions.ts";
import type { HttpRequest, HttpResponse } from "../../http/http-handler.ts";
import { messageResponse } from "../../http/json-response.ts";
import { assertWholeBody, contentLength, durabilityOf } from "../../http/request-headers.ts";
import { attributesFromHeaders } from "./object-headers.ts";
import { splitReference } from "./object-path.ts";
import { assertNoBody, type PlainHttpRequest } from "./plain-http-request.ts";

/** Names the source of a copy; its presence makes a PUT a copy. */
export const COPY_SOURCE_HEADER = "ashlar-copy-source";

/** `PUT /objects/<bucket>/<key>` with the bytes as body, of any length, known or not. */
export async function putObject({
  gateway,
  bucket,
  key,
  request: http,
  call,
}: PlainHttpRequest): Promise<HttpResponse> {
  const { header, body } = http;
  assertWholeBody(header);
  const request = {
    ...{ bucket, key },
    attributes: attributesFromHeaders(header) ?? {},
    sizeBytes: contentLength(header),
    condition: writeCondition(header),
    durability: durabilityOf(header),
    sha256: digestOf(header),
  };
  const outcome = await gateway.perform("putObject", { request, body }, call);
  return messageResponse(PutObjectOutcomeSchema, encodePutOutcome(outcome), { header: { etag: `"${outcome.etag}"` } });
}

/** `PUT` with `ashlar-copy-source`. Attributes in the headers replace the source's, all of them. */
export async function copyObject({ gateway, bucket, key, request, call }: PlainHttpRequest): Promise<HttpResponse> {
  const { header } = request;
  assertWholeBody(header);
  const target = { bucket, key, attributes: attributesFromHeaders(header), condition: writeCondition(header) };
  const copy = await gateway.permit("copyObject", { ...copySource(request), ...target }, call);
  await assertNoBody(request, `a PUT with ${COPY_SOURCE_HEADER}`);
  const info = await copy();
  return messageResponse(
    CopyObjectResponseSchema,
    { info: encodeObjectInfo(info) },
    { header: { etag: `"${info.etag}"` } },
  );
}

/** What a copy reads. @throws {AshlarError} INVALID_ARGUMENT. */
function copySource({ header }: Pick<HttpRequest, "header">): Pick<CopyObject, "sourceBucket" | "sourceKey"> {
  const source = header.get(COPY_SOURCE_HEADER) ?? "";
  const { bucket, key } = splitReference(source.startsWith("/") ? source.slice(1) : source);
  if (key === undefined) throw new AshlarError("INVALID_ARGUMENT", `${COPY_SOURCE_HEADER} is <bucket>/<key>`);
  return { sourceBucket: bucket, sourceKey: key };
}

/** `DELETE /objects/<bucket>/<key>`: 204, whether it was there or not. */
export async function deleteObject({ gateway, bucket, key, request, call }: PlainHttpRequest): Promise<HttpResponse> {
  await gateway.perform("deleteObject", { bucket, key, condition: writeCondition(request.header) }, call);
  return { status: 204 };
}

function digestOf(header: Headers): string | undefined {
  const sha256 = header.get("ashlar-sha256")?.toLowerCase();
  if (sha256 === undefined || isDigestHex(sha256)) return sha256;
  throw new AshlarError("INVALID_ARGUMENT", "ashlar-sha256 is 64 characters of hex");
}
