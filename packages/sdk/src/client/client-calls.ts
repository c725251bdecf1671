import { AshlarError } from "../errors/index.ts";
import { checkedInput } from "./call-checks.ts";
import { type Explain, explainError, type FailedCall } from "./call-error.ts";
import type { HeldBody } from "./held-body.ts";
import { createObjectCalls } from "./object-calls.ts";
import type { ClientCalls, ObjectClient } from "./object-client.ts";
import type { Seat } from "./seat.ts";
import { createSeatCall, type SeatCall } from "./seat-calls.ts";
import type { SeatOpener } from "./seat-opener.ts";
import { createUploadCalls } from "./upload-calls.ts";

/** Runs one call; its body, if it has one, is held already. */
type RunCall = (input: never, held: HeldBody, explain: Explain) => unknown;

/** What is behind a client's methods. */
export interface ClientParts {
  /** Runs one call: a promise, or an iterable for a listing. @throws {AshlarError} for bad arguments. */
  run(name: keyof ClientCalls, input: unknown, held: HeldBody | undefined, explain: Explain): unknown;
  /** Says in an error which call it belongs to. */
  explain(thrown: unknown, call: FailedCall): AshlarError;
}

/** All calls of a client, with their arguments checked. Loaded with the first call, so that a page can start without them. */
export function createClientParts(seat: Seat, opener: SeatOpener): ClientParts {
  const call = createSeatCall(opener);
  const calls: Readonly<Record<keyof ClientCalls, RunCall>> = {
    ...createBucketCalls(call, seat),
    ...createObjectCalls(call, opener),
    ...createUploadCalls(call),
  };
  return {
    run: (name, input, held, explain) => calls[name](checkedInput(name, input) as never, held as HeldBody, explain),
    explain: (thrown, failed) => explainError(thrown, failed, seat),
  };
}

type BucketCalls = Pick<
  ObjectClient,
  "createBucket" | "headBucket" | "listBuckets" | "deleteBucket" | "collect" | "cluster" | "createAccessToken"
>;

/** The client's methods on buckets, and on what lies behind the seat. */
function createBucketCalls(call: SeatCall, seat: Seat): BucketCalls {
  return {
    createBucket: (input) =>
      call(input, async ({ engine }, signal, write) => {
        try {
          return await engine.createBucket(input.bucket, write);
        } catch (error) {
          const isThere = input.ifMissing === true && AshlarError.is(error, "BUCKET_ALREADY_EXISTS");
          const found = isThere ? await engine.getBucket(input.bucket, { signal }) : undefined;
          if (found === undefined) throw error;
          return found;
        }
      }),
    headBucket: (input) =>
      call(input, async ({ engine }, signal) => {
        const found = await engine.getBucket(input.bucket, { signal });
        if (found !== undefined) return found;
        throw new AshlarError("BUCKET_NOT_FOUND", `no bucket ${input.bucket}`, { details: { bucket: input.bucket } });
      }),
    listBuckets: (input = {}) => call(input, ({ engine }, signal) => engine.listBuckets({ signal })),
    deleteBucket: (input) => call(input, ({ engine }, _, write) => engine.deleteBucket(input.bucket, write)),
    collect: (input = {}) =>
      call(
        input,
        ({ collect }, signal) =>
          collect?.({ signal }) ?? Promise.reject(unsupported(seat, "collect; its servers do it")),
      ),
    cluster: (input = {}) =>
      call(
        input,
        ({ cluster }, signal) =>
          cluster?.({ signal }) ?? Promise.reject(unsupported(seat, "cluster; it has no storage nodes")),
      ),
    createAccessToken: (input) =>
      call(
        input,
        ({ createAccessToken }, signal) =>
          createAccessToken?.(input, { signal }) ??
          Promise.reject(unsupported(seat, "create access tokens; it asks for no key")),
      ),
  };
}

function unsupported(seat: Seat, what: string): AshlarError {
  return new AshlarError("UNSUPPORTED", `the ${seat.name} seat does not ${what}`, { details: { seat: seat.name } });
}
