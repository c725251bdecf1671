import { AshlarError } from "../errors/index.ts";
import { createBucketHandle } from "./bucket-handle.ts";
import { createObjectCalls } from "./object-calls.ts";
import type { ObjectClient } from "./object-client.ts";
import type { Seat } from "./seat.ts";
import { createSeatCall, createSeatOpener } from "./seat-calls.ts";
import { createUploadCalls } from "./upload-calls.ts";

/**
 * Creates a client for a seat. Opens nothing yet.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for what is no seat, such as the function `embedded` instead of what it returns.
 *
 * @example
 * const client = createClient(embedded({ path: "./data" }));
 * await client.createBucket({ bucket: "photos" });
 * await client.putObject({ bucket: "photos", key: "cat.jpg", body: stream });
 */
export function createClient(seat: Seat): ObjectClient {
  const opener = createSeatOpener(seat);
  const call = createSeatCall(opener);
  const client: ObjectClient = {
    createBucket: (input) =>
      call(input, async ({ backend }, signal, write) => {
        try {
          return await backend.createBucket(input.bucket, write);
        } catch (error) {
          const isThere = input.ifMissing === true && AshlarError.is(error, "BUCKET_ALREADY_EXISTS");
          const found = isThere ? await backend.getBucket(input.bucket, { signal }) : undefined;
          if (found === undefined) throw error;
          return found;
        }
      }),
    headBucket: (input) =>
      call(input, async ({ backend }, signal) => {
        const found = await backend.getBucket(input.bucket, { signal });
        if (found !== undefined) return found;
        throw new AshlarError("BUCKET_NOT_FOUND", `no bucket ${input.bucket}`, { details: { bucket: input.bucket } });
      }),
    listBuckets: (input = {}) => call(input, ({ backend }, signal) => backend.listBuckets({ signal })),
    deleteBucket: (input) => call(input, ({ backend }, _, write) => backend.deleteBucket(input.bucket, write)),
    ...createObjectCalls(call, opener),
    ...createUploadCalls(call),
    bucket: (bucket) => createBucketHandle(client, bucket),
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
          cluster?.({ signal }) ?? Promise.reject(unsupported(seat, "cluster; it has no servers")),
      ),
    createAccessToken: (input) =>
      call(
        input,
        ({ createAccessToken }, signal) =>
          createAccessToken?.(input, { signal }) ??
          Promise.reject(unsupported(seat, "create access tokens; it asks for no key")),
      ),
    close: () => opener.close(),
    [Symbol.asyncDispose]: () => opener.close(),
  };
  return client;
}

function unsupported(seat: Seat, what: string): AshlarError {
  return new AshlarError("UNSUPPORTED", `the ${seat.name} seat does not ${what}`, { details: { seat: seat.name } });
}
