import { AshlarError } from "../errors/index.ts";
import { encodeHex } from "../hash/digest.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import * as LIMITS from "../limit-values.ts";
import type { CallOptions, ObjectEngine, WriteOptions } from "../ports/index.ts";
import {
  checkDurability,
  checkInteger,
  checkListQuery,
  checkNamedParts,
  checkOperationId,
  normalizeDeclaredDigest,
  pageLimit,
} from "../ports/metadata-checks.ts";
import { assertBucketName, assertObjectKey, normalizeAttributes } from "../ports/names.ts";
import { createEngineContext, type EngineOptions } from "./engine-context.ts";
import { headObject, openObject } from "./read-object.ts";
import { writeObject, writePart } from "./write-object.ts";

/**
 * The object engine: chunk → hash → place → store → commit, and back.
 *
 * Closing it closes `topology`; the catalog is left to its creator. After `close()` every call fails with STORE_CLOSED, and running transfers end.
 */
export function createEngine(options: EngineOptions): ObjectEngine {
  const closing = new AbortController();
  const context = createEngineContext(options, closing.signal);
  const { catalog } = context;
  const named = nameWrites(options);
  // A caller that aborts is answered at once, whatever hangs below.
  const abortable = <T>(call: CallOptions | undefined, work: () => Promise<T>): Promise<T> =>
    raceAbort(work(), call?.signal);
  const open = <T>(work: () => Promise<T>): Promise<T> => {
    if (closing.signal.aborted) return Promise.reject(closing.signal.reason);
    return work();
  };
  const inBucket = <T>(bucket: string, work: () => Promise<T>): Promise<T> =>
    open(async () => {
      assertBucketName(bucket);
      return work();
    });
  const onObject = <T>(ref: { bucket: string; key: string }, work: () => Promise<T>): Promise<T> =>
    inBucket(ref.bucket, async () => {
      assertObjectKey(ref.key);
      return work();
    });
  return {
    createBucket: (bucket, call) => inBucket(bucket, () => catalog.createBucket(bucket, named(call))),
    getBucket: (bucket, call) => inBucket(bucket, () => catalog.getBucket(bucket, call)),
    listBuckets: (call) => open(() => catalog.listBuckets(call)),
    deleteBucket: (bucket, call) => inBucket(bucket, () => catalog.deleteBucket(bucket, named(call))),
    putObject: (request, body, transfer) =>
      onObject(request, () =>
        abortable(transfer, () =>
          writeObject(context, request, body, { ...named(transfer), mayBeRepeat: transfer?.operationId !== undefined }),
        ),
      ),
    openObject: (request, transfer) =>
      onObject(request, () => abortable(transfer, () => openObject(context, request, transfer ?? {}))),
    headObject: (request, call) =>
      onObject(request, () => abortable(call, () => headObject(context, request, call ?? {}))),
    deleteObject: (request, call) => onObject(request, () => catalog.deleteObject(request, named(call))),
    listObjects: (query, call) =>
      open(async () => {
        checkListQuery(query);
        pageLimit(query.limit); // here, because 0 and "" mean "not given" on the wire
        return catalog.listObjects(query, call);
      }),
    copyObject: (request, call) =>
      onObject({ bucket: request.sourceBucket, key: request.sourceKey }, () =>
        onObject(request, () => {
          const attributes = request.attributes && normalizeAttributes(request.attributes);
          return catalog.copyObject({ ...request, attributes }, named(call));
        }),
      ),
    moveObject: (request, call) =>
      onObject({ bucket: request.sourceBucket, key: request.sourceKey }, () =>
        onObject(request, () => catalog.moveObject(request, named(call))),
      ),
    createUpload: (request, call) =>
      onObject(request, () => {
        const durability = request.durability ?? context.durability;
        checkDurability(durability); // here, because the wire has no form for an unknown one
        const attributes = normalizeAttributes(request.attributes);
        return catalog.createUpload({ ...request, durability, attributes }, named(call));
      }),
    writePart: (request, body, transfer) =>
      open(async () => {
        // Here, before its bytes move, and because a transport may not be able to send -1 at all.
        checkInteger(request.partNumber, "partNumber", { min: 1, max: LIMITS.PART_NUMBER_MAX });
        return abortable(transfer, () => writePart(context, request, body, named(transfer)));
      }),
    listParts: (query, call) => open(() => catalog.listParts(query, call)),
    listUploads: (query, call) => inBucket(query.bucket, () => catalog.listUploads(query, call)),
    completeUpload: (request, call) =>
      open(async () => {
        checkNamedParts(request.parts); // here, because the wire's field is too small for some numbers
        return catalog.completeUpload({ ...request, sha256: normalizeDeclaredDigest(request.sha256) }, named(call));
      }),
    abortUpload: (uploadId, call) => open(() => catalog.abortUpload(uploadId, named(call))),
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new AshlarError("STORE_CLOSED", "the client was closed"));
      await options.topology.close();
    },
  };
}

/** Random bits of an operation id. */
const OPERATION_ID_BITS = 128;

/**
 * Gives each write an operation id for all its tries, unless the caller gave one: the store then recognises a try whose answer was lost, and the
 * write happens once. If nothing is tried again, no id is needed.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for an id that no store takes.
 */
function nameWrites({ random, retry }: EngineOptions): <Options extends WriteOptions>(given?: Options) => Options {
  return (given) => {
    const { operationId } = given ?? {};
    checkOperationId(operationId);
    if (operationId !== undefined || retry?.forMs === 0) return { ...given } as NonNullable<typeof given>;
    return { ...(given as NonNullable<typeof given>), operationId: encodeHex(random.bytes(OPERATION_ID_BITS / 8)) };
  };
}
