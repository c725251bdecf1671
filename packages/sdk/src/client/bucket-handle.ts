import type { BucketInfo, ObjectInfo, PutObjectOutcome } from "../ports/index.ts";
import type { ObjectBody } from "./body-source.ts";
import type { ClientCallOptions, ClientTransferOptions } from "./call-options.ts";
import type {
  GetObjectResult,
  GetOptions,
  ListEntry,
  ListObjectsInput,
  ObjectClient,
  PutOptions,
} from "./object-client.ts";

/** A bucket by name; no I/O until something is asked of it. */
export interface BucketHandle {
  readonly name: string;
  object(key: string): ObjectHandle;
  create(options?: ClientCallOptions): Promise<BucketInfo>;
  list(options?: Omit<ListObjectsInput, "bucket" | "cursor">): AsyncIterable<ListEntry>;
  delete(options?: ClientCallOptions): Promise<void>;
}

/** An object by name; no I/O until something is asked of it. */
export interface ObjectHandle {
  readonly bucket: string;
  readonly key: string;
  put(body: ObjectBody, options?: PutOptions): Promise<PutObjectOutcome>;
  get(options?: GetOptions): Promise<GetObjectResult>;
  bytes(options?: ClientTransferOptions): Promise<Uint8Array>;
  text(options?: ClientTransferOptions): Promise<string>;
  json(options?: ClientTransferOptions): Promise<unknown>;
  /** The bytes as a web stream that opens the object when it is first read. */
  stream(options?: ClientTransferOptions): ReadableStream<Uint8Array>;
  head(options?: ClientCallOptions): Promise<ObjectInfo>;
  exists(options?: ClientCallOptions): Promise<boolean>;
  delete(options?: ClientCallOptions): Promise<boolean>;
  /** The bytes from `start` up to but not including `end` (default: the end), as `Blob.slice`; negative values count from the end. */
  slice(start: number, end?: number): ObjectSlice;
}

/** A range of an object; no I/O until its bytes are asked for. */
export interface ObjectSlice {
  bytes(options?: ClientTransferOptions): Promise<Uint8Array>;
  text(options?: ClientTransferOptions): Promise<string>;
  stream(options?: ClientTransferOptions): ReadableStream<Uint8Array>;
}

export function createBucketHandle(client: ObjectClient, bucket: string): BucketHandle {
  return {
    name: bucket,
    object: (key) => createObjectHandle(client, bucket, key),
    create: (options) => client.createBucket({ bucket, ...options }),
    list: (options) => client.listObjects({ bucket, ...options }),
    delete: (options) => client.deleteBucket({ bucket, ...options }),
  };
}

function createObjectHandle(client: ObjectClient, bucket: string, key: string): ObjectHandle {
  const ref = { bucket, key };
  const get = (options?: GetOptions): Promise<GetObjectResult> => client.getObject({ ...options, ...ref });
  return {
    ...ref,
    put: (body, options) => client.putObject({ ...options, ...ref, body }),
    get,
    bytes: async (options) => (await get(options)).bytes(),
    text: async (options) => (await get(options)).text(),
    json: async (options) => (await get(options)).json(),
    stream: (options) => lazyStream(() => get(options)),
    head: (options) => client.headObject({ ...options, ...ref }),
    async exists(options) {
      try {
        await client.headObject({ ...options, ...ref });
        return true;
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "OBJECT_NOT_FOUND") return false;
        throw error;
      }
    },
    delete: (options) => client.deleteObject({ ...options, ...ref }),
    slice: (start, end) => createSlice(client, ref, start, end),
  };
}

function createSlice(
  client: ObjectClient,
  ref: { readonly bucket: string; readonly key: string },
  start: number,
  end: number | undefined,
): ObjectSlice {
  const get = async (options?: ClientTransferOptions): Promise<GetObjectResult> => {
    const mixed = end !== undefined && end < 0 !== start < 0;
    if (!mixed) {
      const length = end === undefined ? undefined : Math.max(0, end - start);
      return client.getObject({ ...options, ...ref, range: { offset: start, length } });
    }
    // One end counts from the front, the other from the back: the size decides.
    const { sizeBytes, etag } = await client.headObject({ ...options, ...ref });
    const from = start < 0 ? Math.max(0, sizeBytes + start) : Math.min(start, sizeBytes);
    const to = (end as number) < 0 ? sizeBytes + (end as number) : Math.min(end as number, sizeBytes);
    return client.getObject({
      ...options,
      ...ref,
      ifMatch: etag,
      range: { offset: from, length: Math.max(0, to - from) },
    });
  };
  return {
    bytes: async (options) => (await get(options)).bytes(),
    text: async (options) => (await get(options)).text(),
    stream: (options) => lazyStream(() => get(options)),
  };
}

/** A stream that opens its source on the first pull. */
function lazyStream(open: () => Promise<GetObjectResult>): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= (await open()).stream().getReader();
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader?.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
