import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  assertBucketName,
  assertObjectKey,
  assertWriteCondition,
  type BucketInfo,
  type ObjectBackend,
  type PutObjectRequest,
  type WriteOptions,
} from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../http/http-limits.ts";
import type { GatewayContext } from "./gateway-context.ts";

/** The bucket. @throws {AshlarError} BUCKET_NOT_FOUND, INVALID_BUCKET_NAME. */
export async function requireBucket(
  backend: Pick<ObjectBackend, "getBucket">,
  bucket: string,
  signal: AbortSignal | undefined,
): Promise<BucketInfo> {
  const info = await backend.getBucket(bucket, { signal });
  if (info !== undefined) return info;
  throw new AshlarError("BUCKET_NOT_FOUND", `no bucket ${bucket}`, { details: { bucket } });
}

/**
 * Makes a bucket, unless there are so many that listing them would be too long an answer. Whoever makes buckets side by side may pass the bound by a few.
 *
 * @throws {AshlarError} BUCKET_EXISTS, INVALID_BUCKET_NAME, INVALID_ARGUMENT above BUCKETS_MAX.
 */
export async function createBucketWithin(
  backend: Pick<ObjectBackend, "createBucket" | "listBuckets">,
  bucket: string,
  write: WriteOptions,
): Promise<BucketInfo> {
  assertBucketName(bucket);
  const max = HTTP_LIMITS.BUCKETS_MAX.value;
  const buckets = await backend.listBuckets({ signal: write.signal });
  // One that exists is told as such.
  if (buckets.length < max || buckets.some((each) => each.bucket === bucket)) {
    return await backend.createBucket(bucket, write);
  }
  throw new AshlarError("INVALID_ARGUMENT", `there are ${max} buckets; use key prefixes in one of them`, {
    details: { bucketsMax: String(max) },
  });
}

/**
 * Refuses a write before its body moves, where that can be known: bad names, too long, no such bucket, a condition that does not hold.
 *
 * The commit decides all of it again; this only spares the transfer. A body that goes inline has nothing to spare, so it is not asked for.
 */
export async function assertWorthSending(
  context: GatewayContext,
  request: PutObjectRequest,
  { signal, operationId }: WriteOptions,
): Promise<void> {
  const { bucket, key, sizeBytes, condition } = request;
  assertBucketName(bucket);
  assertObjectKey(key);
  if (sizeBytes !== undefined && sizeBytes > LIMITS.OBJECT_MAX_BYTES.value) {
    throw new AshlarError("OBJECT_TOO_LARGE", `an object has at most ${LIMITS.OBJECT_MAX_BYTES.value} bytes`, {
      details: { sizeBytes: String(sizeBytes) },
    });
  }
  if (sizeBytes !== undefined && sizeBytes <= context.limits.inlineMaxBytes) return;
  // A write with a name may have happened already, and what it would meet here is its own doing: the commit knows.
  if (operationId !== undefined) return;
  await requireBucket(context.backend, bucket, signal);
  if (condition === undefined) return;
  const current = await context.metadata.getObject({ bucket, key, chunkLimit: 0 }, { signal });
  assertWriteCondition(current?.info, condition);
}
