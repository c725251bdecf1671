import { AshlarError } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { createSemaphore } from "../internal/semaphore.ts";
import * as LIMITS from "../limit-values.ts";
import type { WriteOptions } from "../ports/index.ts";
import { attributesOf, conditionOf, hasAttributes, withAttributes } from "./attributes.ts";
import { toByteStream } from "./body-source.ts";
import type { Explain } from "./call-error.ts";
import { beginCall } from "./call-options.ts";
import { callersChunker } from "./caller-parts.ts";
import { createGetResult } from "./get-result.ts";
import type { HeldBody } from "./held-body.ts";
import type { DeleteOutcomeForKey, GetObjectInput, GetObjectResult, PutObjectInput } from "./inputs.ts";
import { mergeEntries } from "./merge-entries.ts";
import type { ObjectClient } from "./object-client.ts";
import { walkPages } from "./pages.ts";
import type { OpenedSeat } from "./seat.ts";
import { openSeat, type SeatCall, withUnknownOutcome } from "./seat-calls.ts";
import type { SeatOpener } from "./seat-opener.ts";

/** Deletes in flight of one `deleteObjects`. */
const DELETES_IN_FLIGHT = 16;

type ObjectCalls = Pick<
  ObjectClient,
  "headObject" | "deleteObject" | "deleteObjects" | "listObjects" | "listObjectsPage" | "copyObject" | "moveObject"
> & {
  readonly putObject: (input: PutObjectInput, held: HeldBody) => ReturnType<ObjectClient["putObject"]>;
  readonly getObject: (input: GetObjectInput, _: unknown, explain: Explain) => ReturnType<ObjectClient["getObject"]>;
};

/** The client's methods on objects. */
export function createObjectCalls(call: SeatCall, opener: SeatOpener): ObjectCalls {
  const calls: ObjectCalls = {
    putObject: (input, held) =>
      call(input, async ({ engine }, _, write) => {
        const { bucket, key, chunker, durability, sha256, concurrency, onProgress } = input;
        const body = toByteStream(held);
        const request = {
          bucket,
          key,
          attributes: attributesOf(input),
          sizeBytes: declaredSize(input.sizeBytes, body.sizeBytes),
          condition: conditionOf(input),
          chunker: callersChunker(chunker),
          durability,
          sha256,
        };
        return withAttributes(await engine.putObject(request, body.stream, { ...write, concurrency, onProgress }));
      }),
    getObject: (input, _, explain) => openForReading(opener, input, explain),
    headObject: (input) =>
      call(input, async ({ engine }, signal) => {
        const { bucket, key, objectVersion } = input;
        const request = { bucket, key, objectVersion, condition: conditionOf(input) };
        return withAttributes(await engine.headObject(request, { signal }));
      }),
    deleteObject: (input) =>
      call(input, ({ engine }, _, write) => {
        const { bucket, key } = input;
        return engine.deleteObject({ bucket, key, condition: conditionOf(input) }, write);
      }),
    deleteObjects: (input) =>
      call(input, ({ engine }, _, write) => deleteObjects(engine, input.bucket, input.keys, write)),
    listObjects({ limit, pageSize, ...query }) {
      const size = pageSize ?? Math.min(limit ?? LIMITS.LIST_LIMIT_MAX, LIMITS.LIST_LIMIT_MAX);
      const entries = walkPages(
        (cursor: string | undefined) => calls.listObjectsPage({ ...query, cursor, limit: size }),
        mergeEntries,
        (page) => page.nextCursor,
      );
      return limit === undefined ? entries : atMost(limit, entries);
    },
    listObjectsPage: (input) =>
      call(input, ({ engine }, signal) => {
        const { bucket, prefix, delimiter, cursor, startAfter, limit } = input;
        return engine.listObjects({ bucket, prefix, delimiter, cursor, startAfter, limit }, { signal });
      }),
    copyObject: (input) =>
      call(input, async ({ engine }, _, write) => {
        const { sourceBucket, sourceKey, sourceIfMatch, bucket, key } = input;
        const attributes = hasAttributes(input) ? attributesOf(input) : undefined;
        const copy = { sourceBucket, sourceKey, sourceIfMatch, bucket, key, attributes, condition: conditionOf(input) };
        return withAttributes(await engine.copyObject(copy, write));
      }),
    moveObject: (input) =>
      call(input, async ({ engine }, _, write) => {
        const { sourceBucket, sourceKey, sourceIfMatch, bucket, key } = input;
        const move = { sourceBucket, sourceKey, sourceIfMatch, bucket, key, condition: conditionOf(input) };
        return withAttributes(await engine.moveObject(move, write));
      }),
  };
  return calls;
}

/** Unlike other calls, a read outlives this function: its signal and timeout cover the bytes too, and rest until somebody reads the bytes. */
async function openForReading(opener: SeatOpener, input: GetObjectInput, explain: Explain): Promise<GetObjectResult> {
  const scope = beginCall(input, opener);
  try {
    const { engine } = await openSeat(opener, scope);
    const { bucket, key, objectVersion, range, verify, concurrency, onProgress } = input;
    const opening = engine.openObject(
      { bucket, key, objectVersion, range, verify, condition: conditionOf(input) },
      { signal: scope.signal, concurrency, onProgress },
    );
    return createGetResult(await raceAbort(opening, scope.signal), { scope, explain });
  } finally {
    scope.rest();
  }
}

/** Ends with the first `limit` items. */
async function* atMost<Item>(limit: number, items: AsyncIterable<Item>): AsyncGenerator<Item> {
  let left = limit;
  for await (const item of items) {
    yield item;
    if (--left <= 0) return;
  }
}

/** @throws {AshlarError} INVALID_ARGUMENT if caller and body give different lengths. */
function declaredSize(given: number | undefined, known: number | undefined): number | undefined {
  if (given === undefined || known === undefined || given === known) return given ?? known;
  throw new AshlarError("INVALID_ARGUMENT", `sizeBytes is ${given}, but the body has ${known} bytes`);
}

async function deleteObjects(
  engine: OpenedSeat["engine"],
  bucket: string,
  keys: readonly string[],
  { signal, operationId, outcome }: WriteOptions,
): Promise<readonly DeleteOutcomeForKey[]> {
  const lanes = createSemaphore(DELETES_IN_FLIGHT);
  return Promise.all(
    keys.map(async (key, index): Promise<DeleteOutcomeForKey> => {
      const release = await lanes.acquire(signal);
      const own = { unknown: false };
      try {
        // Each key is an operation of its own.
        const write = { signal, operationId: operationId && `${operationId}.${index}`, outcome: own };
        return { key, deleted: await engine.deleteObject({ bucket, key }, write) };
      } catch (thrown) {
        let error = AshlarError.from(thrown);
        if (own.unknown) error = withUnknownOutcome(error);
        if (outcome && own.unknown) outcome.unknown = true;
        if (signal?.aborted || error.code === "BUCKET_NOT_FOUND") throw error;
        return { key, deleted: false, error };
      } finally {
        release();
      }
    }),
  );
}
