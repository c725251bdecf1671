import { AshlarError } from "@ashlar/sdk/errors";
import { isDigestHex } from "@ashlar/sdk/hash";
import { type CopyObject, DURABILITIES, type Durability, type PutObjectRequest } from "@ashlar/sdk/ports";
import { CopyObjectResponseSchema, encodeObjectInfo, encodePutOutcome, PutObjectOutcomeSchema } from "@ashlar/sdk/rpc";
import type { HttpRequest, HttpResponse } from "../../http/http-handler.ts";
import { assertWholeBody } from "../../http/whole-body.ts";
import type { Principal } from "../auth/authenticator.ts";
import { writeOptionsOf } from "../auth/write-options.ts";
import { confirmedBody } from "../confirmed-body.ts";
import { assertWorthSending } from "../early-checks.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { writeCondition } from "./conditions.ts";
import { jsonAnswer } from "./json-answer.ts";
import { attributesFromHeaders } from "./object-headers.ts";
import { splitReference } from "./object-path.ts";
import type { ObjectName } from "./read-object.ts";

/** Names the source of a copy; its presence makes a PUT a copy. */
export const COPY_SOURCE_HEADER = "ashlar-copy-source";

/** `PUT /objects/<bucket>/<key>` with the bytes as body, of any length, known or not. */
export async function putObject(
  context: GatewayContext,
  name: ObjectName,
  request: HttpRequest,
  principal: Principal,
): Promise<HttpResponse> {
  const { header, signal } = request;
  assertWholeBody(header);
  const write = writeOptionsOf(header, principal, signal);
  const put: PutObjectRequest = {
    ...name,
    attributes: attributesFromHeaders(header) ?? {},
    sizeBytes: contentLength(header),
    condition: writeCondition(header),
    durability: durabilityOf(header),
    sha256: digestOf(header),
  };
  await assertWorthSending(context, put, write);
  const body = confirmedBody(request.body, put, request.contextValues);
  const outcome = await context.backend.putObject(put, body, write);
  return jsonAnswer(PutObjectOutcomeSchema, encodePutOutcome(outcome), { header: { etag: `"${outcome.etag}"` } });
}

/** `PUT` with `ashlar-copy-source`. Attributes in the headers replace the source's, all of them. */
export async function copyObject(
  context: GatewayContext,
  name: ObjectName,
  request: HttpRequest,
  principal: Principal,
): Promise<HttpResponse> {
  const { header, signal } = request;
  assertWholeBody(header);
  await assertNoBody(request, `a PUT with ${COPY_SOURCE_HEADER}`);
  const info = await context.backend.copyObject(
    {
      ...copySource(request),
      ...name,
      attributes: attributesFromHeaders(header),
      condition: writeCondition(header),
    },
    writeOptionsOf(header, principal, signal),
  );
  return jsonAnswer(CopyObjectResponseSchema, { info: encodeObjectInfo(info) }, { header: { etag: `"${info.etag}"` } });
}

/** What a copy reads. @throws {AshlarError} INVALID_ARGUMENT. */
export function copySource({ header }: Pick<HttpRequest, "header">): Pick<CopyObject, "sourceBucket" | "sourceKey"> {
  const source = header.get(COPY_SOURCE_HEADER) ?? "";
  const { bucket, key } = splitReference(source.startsWith("/") ? source.slice(1) : source);
  if (key === undefined) throw new AshlarError("INVALID_ARGUMENT", `${COPY_SOURCE_HEADER} is <bucket>/<key>`);
  return { sourceBucket: bucket, sourceKey: key };
}

/** `DELETE /objects/<bucket>/<key>`: 204, whether it was there or not. */
export async function deleteObject(
  context: GatewayContext,
  name: ObjectName,
  request: HttpRequest,
  principal: Principal,
): Promise<HttpResponse> {
  const write = writeOptionsOf(request.header, principal, request.signal);
  await context.backend.deleteObject({ ...name, condition: writeCondition(request.header) }, write);
  return { status: 204 };
}

/**
 * Bytes beside a copy's source, or those of a bucket, would be lost without a word.
 *
 * @param what takes no body; begins the message.
 * @throws {AshlarError} INVALID_ARGUMENT.
 */
export async function assertNoBody({ header, body }: HttpRequest, what: string): Promise<void> {
  let isEmpty = (contentLength(header) ?? 0) === 0;
  if (isEmpty) {
    for await (const slice of body) {
      isEmpty = slice.byteLength === 0;
      if (!isEmpty) break;
    }
  }
  if (!isEmpty) throw new AshlarError("INVALID_ARGUMENT", `${what} has no body`);
}

function contentLength(header: Headers): number | undefined {
  const text = header.get("content-length");
  if (text === null) return undefined;
  const length = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(length)) return length;
  throw new AshlarError("INVALID_ARGUMENT", "content-length is a whole number of bytes");
}

function durabilityOf(header: Headers): Durability | undefined {
  const text = header.get("ashlar-durability");
  if (text === null) return undefined;
  const durability = DURABILITIES.find((each) => each === text);
  if (durability !== undefined) return durability;
  throw new AshlarError("INVALID_ARGUMENT", `ashlar-durability is one of ${DURABILITIES.join(", ")}`);
}

function digestOf(header: Headers): string | undefined {
  const sha256 = header.get("ashlar-sha256")?.toLowerCase();
  if (sha256 === undefined || isDigestHex(sha256)) return sha256;
  throw new AshlarError("INVALID_ARGUMENT", "ashlar-sha256 is 64 characters of hex");
}
