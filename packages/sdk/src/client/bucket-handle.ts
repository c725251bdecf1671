import { AshlarError } from "../errors/index.ts";
import type { ClientTransferOptions } from "./call-options.ts";
import type { BucketHandle, ObjectHandle, ObjectSlice } from "./handles.ts";
import type { GetObjectResult, GetOptions } from "./inputs.ts";
import type { ObjectClient } from "./object-client.ts";
import { takenInput } from "./taken-input.ts";

/** The client's reads. */
export type Reads = Pick<ObjectClient, "getObject" | "headObject">;
/** Reads whose errors have the stack frames of `caller`, for calls that begin in a later turn of the event loop. */
export type ReadsFor = (caller: Error) => Reads;

export function createBucketHandle(client: ObjectClient, bucket: string, readsFor: ReadsFor): BucketHandle {
  return {
    name: bucket,
    object: (key) => createObjectHandle(client, { bucket, key }, readsFor),
    create: (options) => client.createBucket({ ...takenInput(options), bucket }),
    list: (options) => client.listObjects({ ...takenInput(options), bucket }),
    delete: (options) => client.deleteBucket({ ...takenInput(options), bucket }),
  };
}

interface ObjectRef {
  readonly bucket: string;
  readonly key: string;
}

function createObjectHandle(client: ObjectClient, ref: ObjectRef, readsFor: ReadsFor): ObjectHandle {
  const get = (options?: GetOptions, reads: Reads = client): Promise<GetObjectResult> =>
    reads.getObject({ ...takenInput(options), ...ref });
  return {
    ...ref,
    put: (body, options) => client.putObject({ ...takenInput(options), ...ref, body }),
    get: (options) => get(options),
    bytes: async (options) => (await get(options)).bytes(),
    text: async (options) => (await get(options)).text(),
    json: async (options) => (await get(options)).json(),
    stream: (options) => lazyStream(get, takenInput(options), readsFor(new Error())),
    head: (options) => client.headObject({ ...takenInput(options), ...ref }),
    async exists(options) {
      try {
        await client.headObject({ ...takenInput(options), ...ref });
        return true;
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "OBJECT_NOT_FOUND") return false;
        throw error;
      }
    },
    delete: (options) => client.deleteObject({ ...takenInput(options), ...ref }),
    slice: (start, end) => createSlice(client, ref, { start, end, readsFor }),
  };
}

function createSlice(
  client: ObjectClient,
  ref: ObjectRef,
  slice: { readonly start: number; readonly end: number | undefined; readonly readsFor: ReadsFor },
): ObjectSlice {
  const start = clamped(slice.start);
  const end = slice.end === undefined ? MOST : clamped(slice.end);
  const get = async (options?: ClientTransferOptions, reads: Reads = client): Promise<GetObjectResult> => {
    const input = { ...takenInput(options), ...ref };
    const isOpen = end === MOST;
    if (isOpen || (start >= 0 && end >= 0)) {
      const length = isOpen ? undefined : Math.max(0, end - start);
      try {
        return await reads.getObject({ ...input, range: { offset: start, length } });
      } catch (error) {
        // A slice that starts past the end is empty.
        if (!AshlarError.is(error, "INVALID_RANGE")) throw error;
        return reads.getObject({ ...input, range: { offset: 0, length: 0 } });
      }
    }
    // Start or end counts from the end of the object, so the size is needed.
    const { sizeBytes, etag } = await reads.headObject(input);
    const at = (place: number): number => (place < 0 ? Math.max(0, sizeBytes + place) : Math.min(place, sizeBytes));
    const offset = at(start);
    const length = Math.max(0, at(end) - offset);
    return reads.getObject({ ...input, ifMatch: etag, range: { offset, length } });
  };
  return {
    bytes: async (options) => (await get(options)).bytes(),
    text: async (options) => (await get(options)).text(),
    stream: (options) => lazyStream(get, takenInput(options), slice.readsFor(new Error())),
  };
}

const MOST = Number.MAX_SAFE_INTEGER;

/** A position as `Blob.slice` takes it (Web IDL, [Clamp] long long): limited to safe integers, rounded to the nearest whole number, ties to even. */
function clamped(place: number): number {
  const near = Math.round(Math.min(Math.max(place, -MOST), MOST));
  return (Math.abs(place % 1) === 0.5 && near % 2 !== 0 ? near - 1 : near) || 0;
}

/**
 * A stream that opens its source on the first pull.
 *
 * @param options as they were when the stream was asked for.
 * @param reads whose errors have the stack frames of the caller that asked for the stream.
 */
function lazyStream<Options>(
  open: (options: Options, reads: Reads) => Promise<GetObjectResult>,
  options: Options,
  reads: Reads,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let reading: Promise<ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>> | undefined;
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        reading ??= open(options, reads).then((got) => got.stream().getReader());
        const { done, value } = await (await reading).read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      // Cancels also while the source opens. Does not wait for that, because a silent server may not answer.
      cancel(reason) {
        reading?.then((reader) => reader.cancel(reason)).catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}
