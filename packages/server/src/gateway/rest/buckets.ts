import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ListObjectsQuery } from "@ashlar/sdk/ports";
import {
  CreateBucketResponseSchema,
  encodeBucket,
  encodeObjectListPage,
  ListBucketsResponseSchema,
  ListObjectsResponseSchema,
} from "@ashlar/sdk/rpc";
import type { HttpRequest, HttpResponse } from "../../http/http-handler.ts";
import type { Principal } from "../auth/authenticator.ts";
import { writeOptionsOf } from "../auth/write-options.ts";
import { createBucketWithin, requireBucket } from "../early-checks.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { jsonAnswer } from "./json-answer.ts";
import { parseQuery } from "./query.ts";
import { assertNoBody } from "./write-object.ts";

/** `GET /objects`. */
export async function listBuckets({ backend }: GatewayContext, { signal }: HttpRequest): Promise<HttpResponse> {
  const buckets = await backend.listBuckets({ signal });
  return jsonAnswer(ListBucketsResponseSchema, { buckets: buckets.map(encodeBucket) });
}

/** `PUT /objects/<bucket>`. */
export async function createBucket(
  { backend }: GatewayContext,
  bucket: string,
  request: HttpRequest,
  principal: Principal,
): Promise<HttpResponse> {
  const write = writeOptionsOf(request.header, principal, request.signal);
  await assertNoBody(request, "a bucket");
  const created = await createBucketWithin(backend, bucket, write);
  return jsonAnswer(CreateBucketResponseSchema, { bucket: encodeBucket(created) }, { status: 201 });
}

/** `HEAD /objects/<bucket>`. */
export async function headBucket(
  { backend }: GatewayContext,
  bucket: string,
  { signal }: HttpRequest,
): Promise<HttpResponse> {
  await requireBucket(backend, bucket, signal);
  return { status: 200 };
}

/** `DELETE /objects/<bucket>`. */
export async function deleteBucket(
  { backend }: GatewayContext,
  bucket: string,
  { header, signal }: HttpRequest,
  principal: Principal,
): Promise<HttpResponse> {
  await backend.deleteBucket(bucket, writeOptionsOf(header, principal, signal));
  return { status: 204 };
}

/** `GET /objects/<bucket>?prefix=&delimiter=&cursor=&startAfter=&limit=`. */
export async function listObjects(
  { backend }: GatewayContext,
  bucket: string,
  { query, signal }: HttpRequest,
): Promise<HttpResponse> {
  const page = await backend.listObjects(listQuery(bucket, query), { signal });
  return jsonAnswer(ListObjectsResponseSchema, encodeObjectListPage(page));
}

/** What a query string asks for. @throws {AshlarError} INVALID_ARGUMENT. */
export function listQuery(bucket: string, query: string): ListObjectsQuery {
  const parameters = parseQuery(query);
  const text = (name: string): string | undefined => parameters.get(name) || undefined;
  return {
    bucket,
    prefix: text("prefix"),
    delimiter: text("delimiter"),
    cursor: text("cursor"),
    startAfter: text("startAfter"),
    limit: limitOf(text("limit")),
  };
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMITS.LIST_LIMIT_MAX.value) return limit;
  throw new AshlarError("INVALID_ARGUMENT", `limit is a whole number from 1 to ${LIMITS.LIST_LIMIT_MAX.value}`);
}
