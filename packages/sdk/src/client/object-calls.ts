import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { createSemaphore } from "../internal/semaphore.ts";
import { LIMITS } from "../limits.ts";
import { attributesOf, conditionOf } from "./attributes.ts";
import { toByteStream } from "./body-source.ts";
import { assertConcurrency, beginCall, type CallScope } from "./call-options.ts";
import { createGetResult } from "./get-result.ts";
import type { DeleteOutcomeForKey, GetObjectInput, GetObjectResult } from "./inputs.ts";
import { mergeEntries } from "./merge-entries.ts";
import type { ObjectClient } from "./object-client.ts";
import { walkPages } from "./pages.ts";
import type { OpenedSeat } from "./seat.ts";
import type { SeatCall, SeatOpener } from "./seat-calls.ts";

/** Deletes in flight of one `deleteObjects`. */
const DELETES_IN_FLIGHT = 16;

type ObjectCalls = Pick<
  ObjectClient,
  | "putObject"
  | "getObject"
  | "headObject"
  | "deleteObject"
  | "deleteObjects"
  | "listObjects"
  | "listObjectsPage"
  | "copyObject"
>;

/** The client's methods on objects. */
export function createObjectCalls(call: SeatCall, opener: SeatOpener): ObjectCalls {
  const calls: ObjectCalls = {
    putObject: (input) =>
      call(input, ({ backend }, signal) => {
        assertConcurrency(input.concurrency);
        const { bucket, key, chunker, durability, sha256, concurrency, onProgress } = input;
        const body = toByteStream(input.body);
        const request = {
          bucket,
          key,
          attributes: attributesOf(input),
          sizeBytes: input.sizeBytes ?? body.sizeBytes,
          condition: conditionOf(input),
          chunker,
          durability,
          sha256,
        };
        return backend.putObject(request, body.stream, { signal, concurrency, onProgress });
      }),
    getObject: (input) => openForReading(opener, input),
    headObject: (input) =>
      call(input, ({ backend }, signal) => {
        const { bucket, key, objectVersion } = input;
        return backend.headObject({ bucket, key, objectVersion, condition: conditionOf(input) }, { signal });
      }),
    deleteObject: (input) =>
      call(input, ({ backend }, signal) => {
        const { bucket, key } = input;
        return backend.deleteObject({ bucket, key, condition: conditionOf(input) }, { signal });
      }),
    deleteObjects: (input) =>
      call(input, ({ backend }, signal) => deleteObjects(backend, input.bucket, input.keys, signal)),
    listObjects: (input) =>
      walkPages(
        (cursor: string | undefined) => calls.listObjectsPage({ ...input, cursor }),
        mergeEntries,
        (page) => page.nextCursor,
      ),
    listObjectsPage: (input) =>
      call(input, ({ backend }, signal) => {
        const { bucket, prefix, delimiter, cursor, startAfter, limit } = input;
        return backend.listObjects({ bucket, prefix, delimiter, cursor, startAfter, limit }, { signal });
      }),
    copyObject: (input) =>
      call(input, ({ backend }, signal) => {
        const { sourceBucket, sourceKey, sourceIfMatch, bucket, key, attributes } = input;
        const condition = conditionOf(input);
        return backend.copyObject(
          { sourceBucket, sourceKey, sourceIfMatch, bucket, key, attributes, condition },
          { signal },
        );
      }),
  };
  return calls;
}

/** Unlike other calls, a read outlives this function: its signal and timeout cover the bytes too. */
async function openForReading(opener: SeatOpener, input: GetObjectInput): Promise<GetObjectResult> {
  let scope: CallScope | undefined;
  try {
    throwIfAborted(input.signal);
    assertConcurrency(input.concurrency);
    const { backend, clock } = await raceAbort(opener.get(), input.signal);
    scope = beginCall(input, clock);
    const { bucket, key, objectVersion, range, verify, concurrency, onProgress } = input;
    const opening = backend.openObject(
      { bucket, key, objectVersion, range, verify, condition: conditionOf(input) },
      { signal: scope.signal, concurrency, onProgress },
    );
    return createGetResult(await raceAbort(opening, scope.signal), scope);
  } catch (error) {
    scope?.end();
    throw AshlarError.from(error);
  }
}

async function deleteObjects(
  backend: OpenedSeat["backend"],
  bucket: string,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly DeleteOutcomeForKey[]> {
  if (keys.length > LIMITS.DELETE_MANY_MAX.value) {
    throw new AshlarError("INVALID_ARGUMENT", `deleteObjects takes at most ${LIMITS.DELETE_MANY_MAX.value} keys`);
  }
  const lanes = createSemaphore(DELETES_IN_FLIGHT);
  return Promise.all(
    keys.map(async (key): Promise<DeleteOutcomeForKey> => {
      const release = await lanes.acquire(signal);
      try {
        return { key, deleted: await backend.deleteObject({ bucket, key }, { signal }) };
      } catch (thrown) {
        const error = AshlarError.from(thrown);
        if (error.code === "CANCELED" || error.code === "DEADLINE_EXCEEDED" || error.code === "BUCKET_NOT_FOUND")
          throw error;
        return { key, deleted: false, error };
      } finally {
        release();
      }
    }),
  );
}
