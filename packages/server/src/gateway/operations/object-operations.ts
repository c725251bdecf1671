import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  assertBucketName,
  assertObjectKey,
  assertWriteCondition,
  type BucketInfo,
  type CommitCondition,
  type CopyObject,
  type GetObjectRequest,
  type ListObjectsQuery,
  type ObjectEngine,
  type PutObjectOutcome,
  type PutObjectRequest,
} from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../../http/bounds/http-limits.ts";
import type { Touched } from "../auth/check-scope.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { openForReader } from "../own-chunks.ts";
import { type GatewayCall, operation } from "./operation.ts";

/** Names an object. */
export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
}

/** Names a bucket. */
export interface BucketName {
  readonly bucket: string;
}

export const object = ({ bucket, key }: ObjectName): readonly Touched[] => [{ kind: "object", bucket, key }];
export const bucketAsSuch = ({ bucket }: BucketName): readonly Touched[] => [{ kind: "bucket", bucket }];
export const within = ({ bucket, prefix = "" }: Pick<ListObjectsQuery, "bucket" | "prefix">): readonly Touched[] => [
  { kind: "prefix", bucket, prefix },
];
const sourceAndTarget = ({
  sourceBucket,
  sourceKey,
  bucket,
  key,
}: Omit<CopyObject, "attributes">): readonly Touched[] => [
  ...object({ bucket: sourceBucket, key: sourceKey }),
  ...object({ bucket, key }),
];

const putObject = operation({ access: "write", scope: ({ request }: PutObjectInput) => object(request), run: put });

/** Buckets and whole objects. */
export const OBJECT_OPERATIONS = Object.freeze({
  createBucket: operation({ access: "write", scope: "never", run: createBucketWithin }),
  headBucket: operation({
    access: "read",
    scope: bucketAsSuch,
    run: ({ engine }, { bucket }: BucketName, { signal }) => requireBucket(engine, bucket, signal),
  }),
  listBuckets: operation({
    access: "read",
    scope: "never",
    run: ({ engine }, _none: object, { signal }) => engine.listBuckets({ signal }),
  }),
  deleteBucket: operation({
    access: "write",
    scope: "never",
    run: ({ engine }, { bucket }: BucketName, call) => engine.deleteBucket(bucket, call),
  }),

  putObject,
  /** As `putObject`, in one message. */
  writeObject: putObject,
  getObject: operation({
    access: "read",
    scope: object,
    run: (context, request: GetObjectRequest, call) => openForReader(context, request, call),
  }),
  headObject: operation({
    access: "read",
    scope: object,
    run: ({ engine }, request: Omit<GetObjectRequest, "range">, { signal }) => engine.headObject(request, { signal }),
  }),
  deleteObject: operation({
    access: "write",
    scope: object,
    run: ({ engine }, request: ObjectName & { readonly condition?: CommitCondition | undefined }, call) =>
      engine.deleteObject(request, call),
  }),
  deleteObjects: operation({
    access: "write",
    scope: ({ bucket, keys }: DeleteObjectsInput) => keys.flatMap((key) => object({ bucket, key })),
    run: deleteObjects,
  }),
  listObjects: operation({
    access: "read",
    scope: within,
    run: ({ engine }, query: ListObjectsQuery, { signal }) => engine.listObjects(query, { signal }),
  }),
  copyObject: operation({
    access: "write",
    scope: sourceAndTarget,
    run: ({ engine }, copy: CopyObject, call) => engine.copyObject(copy, call),
  }),
  moveObject: operation({
    access: "write",
    scope: sourceAndTarget,
    run: ({ engine }, move: Omit<CopyObject, "attributes">, call) => engine.moveObject(move, call),
  }),
});

/** The bucket. @throws {AshlarError} BUCKET_NOT_FOUND, INVALID_BUCKET_NAME. */
export async function requireBucket(
  engine: Pick<ObjectEngine, "getBucket">,
  bucket: string,
  signal: AbortSignal | undefined,
): Promise<BucketInfo> {
  const info = await engine.getBucket(bucket, { signal });
  if (info !== undefined) return info;
  throw new AshlarError("BUCKET_NOT_FOUND", `no bucket ${bucket}`, { details: { bucket } });
}

/**
 * Creates a bucket, unless there are so many that a list of them would be too long an answer. Calls side by side may pass the bound by a few.
 *
 * @throws {AshlarError} BUCKET_ALREADY_EXISTS, INVALID_BUCKET_NAME, INVALID_ARGUMENT above BUCKETS_MAX.
 */
async function createBucketWithin(
  { engine }: GatewayContext,
  { bucket }: BucketName,
  call: GatewayCall,
): Promise<BucketInfo> {
  assertBucketName(bucket);
  const max = HTTP_LIMITS.BUCKETS_MAX.value;
  const buckets = await engine.listBuckets({ signal: call.signal });
  // For a bucket that exists, the engine throws BUCKET_ALREADY_EXISTS.
  if (buckets.length < max || buckets.some((each) => each.bucket === bucket)) {
    return await engine.createBucket(bucket, call);
  }
  throw new AshlarError("INVALID_ARGUMENT", `there are ${max} buckets; use key prefixes in one of them`, {
    details: { bucketsMax: String(max) },
  });
}

/** An object to write as a whole. Our SDK writes small ones by `commitWrite` and others in chunks; this is for plain HTTP and clients of the RPCs. */
export interface PutObjectInput {
  readonly request: PutObjectRequest;
  /** As it arrives, or whole. */
  readonly body: AsyncIterable<Uint8Array> | Uint8Array;
}

async function put(
  context: GatewayContext,
  { request, body }: PutObjectInput,
  call: GatewayCall,
): Promise<PutObjectOutcome> {
  if (body instanceof Uint8Array) {
    return await context.engine.putObject({ sizeBytes: body.byteLength, ...request }, single(body), call);
  }
  await assertWorthSending(context, request, call);
  return await context.engine.putObject(request, confirmed(body, request, call), call);
}

/** A body of one slice; none for no bytes. */
export async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

/**
 * Refuses a write before its body moves, where that can be known: bad names, too long, no such bucket, a condition that does not hold.
 *
 * The commit checks all of it again; this only saves the transfer. A body that goes inline is small: bucket and condition are not checked for it.
 */
async function assertWorthSending(
  context: GatewayContext,
  request: PutObjectRequest,
  { signal, operationId }: GatewayCall,
): Promise<void> {
  const { bucket, key, sizeBytes, condition } = request;
  assertBucketName(bucket);
  assertObjectKey(key);
  if (sizeBytes !== undefined && sizeBytes > LIMITS.OBJECT_MAX_BYTES) {
    throw new AshlarError("OBJECT_TOO_LARGE", `an object has at most ${LIMITS.OBJECT_MAX_BYTES} bytes`, {
      details: { sizeBytes: String(sizeBytes) },
    });
  }
  if (sizeBytes !== undefined && sizeBytes <= context.limits.inlineMaxBytes) return;
  // A write with an operation id may have happened already. Then this check would meet its own result; the commit can tell.
  if (operationId !== undefined) return;
  await requireBucket(context.engine, bucket, signal);
  if (condition === undefined) return;
  const current = await context.metadata.getObject({ bucket, key, chunkLimit: 0 }, { signal });
  assertWriteCondition(current?.info, condition);
}

/**
 * The body of an object that is being put. If neither a size nor a digest was declared, only the end of the body tells that the object is whole. The
 * end counts only once it is certain that the client did not take the request back: HTTP/2 clients cancel by ending the body in order and then
 * resetting the stream.
 */
function confirmed(
  body: AsyncIterable<Uint8Array>,
  { sizeBytes, sha256 }: Pick<PutObjectRequest, "sizeBytes" | "sha256">,
  { confirmEnd }: GatewayCall,
): AsyncIterable<Uint8Array> {
  if (confirmEnd === undefined || sizeBytes !== undefined || sha256 !== undefined) return body;
  return {
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
      const inner = body[Symbol.asyncIterator]();
      return {
        async next() {
          const next = await inner.next();
          if (next.done !== true) return next;
          await confirmEnd();
          return { done: true, value: undefined };
        },
        async return() {
          await inner.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** Objects of one bucket to delete. */
export interface DeleteObjectsInput {
  readonly bucket: string;
  readonly keys: readonly string[];
}

/** What became of one of them. */
export interface KeyDeletion {
  readonly key: string;
  readonly deleted: boolean;
  readonly error?: AshlarError;
}

/** Deletes that run side by side for one call: enough to share a commit, few enough not to crowd out others. */
const DELETES_AT_ONCE = 16;

async function deleteObjects(
  { engine }: GatewayContext,
  { bucket, keys }: DeleteObjectsInput,
  { signal, operationId, credential }: GatewayCall,
): Promise<readonly KeyDeletion[]> {
  if (keys.length === 0 || keys.length > LIMITS.DELETE_MANY_MAX) {
    throw new AshlarError("INVALID_ARGUMENT", `one call deletes 1 to ${LIMITS.DELETE_MANY_MAX} keys`);
  }
  assertBucketName(bucket);
  const deleteOne = async (key: string, index: number): Promise<KeyDeletion> => {
    try {
      // Each key is an operation of its own.
      const write = { signal, operationId: operationId && `${operationId}.${index}`, credential };
      return { key, deleted: await engine.deleteObject({ bucket, key }, write) };
    } catch (error) {
      // The deletes themselves tell that the bucket is gone: a delete that happened before has its result even if the bucket is gone since.
      if (signal?.aborted || AshlarError.is(error, "BUCKET_NOT_FOUND")) throw error;
      return { key, deleted: false, error: AshlarError.from(error) };
    }
  };
  const outcomes: KeyDeletion[] = [];
  for (let start = 0; start < keys.length; start += DELETES_AT_ONCE) {
    const group = keys.slice(start, start + DELETES_AT_ONCE);
    outcomes.push(...(await Promise.all(group.map((key, index) => deleteOne(key, start + index)))));
  }
  return outcomes;
}
