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
import type { HttpResponse } from "../../http/http-handler.ts";
import { messageResponse } from "../../http/json-response.ts";
import { assertNoBody, type PlainHttpRequest } from "./plain-http-request.ts";
import { parseQuery } from "./query.ts";

/** `GET /objects`. */
export async function listBuckets({ gateway, call }: PlainHttpRequest): Promise<HttpResponse> {
  const buckets = await gateway.perform("listBuckets", {}, call);
  return messageResponse(ListBucketsResponseSchema, { buckets: buckets.map(encodeBucket) });
}

/** `PUT /objects/<bucket>`. */
export async function createBucket({ gateway, bucket, request, call }: PlainHttpRequest): Promise<HttpResponse> {
  const create = await gateway.permit("createBucket", { bucket }, call);
  await assertNoBody(request, "a bucket");
  return messageResponse(CreateBucketResponseSchema, { bucket: encodeBucket(await create()) }, { status: 201 });
}

/** `HEAD /objects/<bucket>`. */
export async function headBucket({ gateway, bucket, call }: PlainHttpRequest): Promise<HttpResponse> {
  await gateway.perform("headBucket", { bucket }, call);
  return { status: 200 };
}

/** `DELETE /objects/<bucket>`. */
export async function deleteBucket({ gateway, bucket, call }: PlainHttpRequest): Promise<HttpResponse> {
  await gateway.perform("deleteBucket", { bucket }, call);
  return { status: 204 };
}

/** `GET /objects/<bucket>?prefix=&delimiter=&cursor=&startAfter=&limit=`. */
export async function listObjects({ gateway, bucket, request, call }: PlainHttpRequest): Promise<HttpResponse> {
  const page = await gateway.perform("listObjects", listQuery(bucket, request.query), call);
  return messageResponse(ListObjectsResponseSchema, encodeObjectListPage(page));
}

/** What a query string asks for. @throws {AshlarError} INVALID_ARGUMENT. */
function listQuery(bucket: string, query: string): ListObjectsQuery {
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
  if (limit >= 1 && limit <= LIMITS.LIST_LIMIT_MAX) return limit;
  throw new AshlarError("INVALID_ARGUMENT", `limit is a whole number from 1 to ${LIMITS.LIST_LIMIT_MAX}`);
}
