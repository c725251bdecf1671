import { AshlarError } from "../errors/index.ts";

/** A slice of a streamed body; strings are taken as UTF-8. */
export type BodySlice = Uint8Array | string;

/**
 * What `putObject` takes. Blob covers File, AsyncIterable covers Node's Readable. Strings are taken as UTF-8.
 *
 * Streams and iterators are read once and are used up then; a stream is cancelled (a Node Readable destroyed) when the call ends early,
 * provided that reading had begun.
 */
export type ObjectBody =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<BodySlice>
  | AsyncIterable<BodySlice>
  | Iterable<BodySlice>;

/** A body ready to be read, once. */
export interface ByteStream {
  /** Length where it is known without reading. */
  readonly sizeBytes?: number;
  /** Slices in order, of any size, also empty; each is valid until the next is asked for. */
  readonly stream: AsyncIterable<Uint8Array>;
}

const encoder = new TextEncoder();
const EXPECTED = "a body is a string, Uint8Array, ArrayBuffer, Blob, ReadableStream or an iterable of Uint8Array";

/**
 * Makes one kind of stream of every kind of body. Reads nothing yet, and copies nothing.
 *
 * @throws {AshlarError} INVALID_ARGUMENT naming what was given, for anything that is no {@link ObjectBody}; the stream throws it for a slice
 *   that is neither Uint8Array nor string. What the body itself throws passes through unchanged.
 */
export function toByteStream(body: ObjectBody): ByteStream {
  if (typeof body === "string") return whole(encoder.encode(body));
  // Callers without types may pass anything, and `in` below throws on what is no object.
  if (typeof body !== "object" || body === null) throw refused(EXPECTED, body);
  if (body instanceof Uint8Array) return whole(body);
  if (isArrayBuffer(body)) return whole(new Uint8Array(body));
  if (isBlob(body)) return { sizeBytes: body.size, stream: readAll(body.stream()) };
  if (isReadableStream(body)) return { stream: readAll(body) };
  if (isAsyncIterable(body)) return { stream: encodeAll(body) };
  // Other typed arrays iterate over numbers: better refused here than at the first slice.
  if (isIterable(body) && !ArrayBuffer.isView(body)) return { stream: encodeAll(body) };
  throw refused(EXPECTED, body);
}

function whole(bytes: Uint8Array): ByteStream {
  return { sizeBytes: bytes.byteLength, stream: encodeAll([bytes]) };
}

/**
 * Gives slices as bytes. No generator: its `return()` would wait for a `next()` that hangs, and a stalled source would never be told to stop.
 */
function encodeAll(body: AsyncIterable<unknown> | Iterable<unknown>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]();
      // The iterator of a Node Readable is a generator itself, so it is the stream that must hear it.
      const stop = async (): Promise<void> => {
        if (isDestroyable(body)) body.destroy();
        else await iterator.return?.();
      };
      return byteIterator(async () => iterator.next(), stop);
    },
  };
}

/** Reads through a reader, because Safari's ReadableStream is no AsyncIterable. */
function readAll(stream: ReadableStream<unknown>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      let reader: ReadableStreamDefaultReader<unknown> | undefined;
      const next = async (): Promise<IteratorResult<unknown>> => {
        reader ??= lockReader(stream);
        let more = false;
        try {
          const { done, value } = await reader.read();
          if (done) return { done, value: undefined };
          more = true;
          return { done, value };
        } finally {
          if (!more) reader.releaseLock();
        }
      };
      const stop = async (): Promise<void> => {
        try {
          await reader?.cancel();
        } finally {
          reader?.releaseLock();
        }
      };
      return byteIterator(next, stop);
    },
  };
}

/** @param stop called once at most: when the reader stops early, or when a slice is refused. */
function byteIterator(
  next: () => Promise<IteratorResult<unknown>>,
  stop: () => Promise<void>,
): AsyncIterator<Uint8Array, undefined> {
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    // The error that ended the reading is the one to tell; a source that failed rejects this with the same error again.
    await stop().catch(() => undefined);
  };
  return {
    async next() {
      if (ended) return { done: true, value: undefined };
      const slice = await next();
      if (slice.done === true) {
        ended = true;
        return { done: true, value: undefined };
      }
      try {
        return { done: false, value: toBytes(slice.value) };
      } catch (error) {
        await end();
        throw error;
      }
    },
    async return() {
      await end();
      return { done: true, value: undefined };
    },
  };
}

function lockReader(stream: ReadableStream<unknown>): ReadableStreamDefaultReader<unknown> {
  try {
    return stream.getReader();
  } catch (cause) {
    throw new AshlarError("INVALID_ARGUMENT", "the body's ReadableStream is locked: someone else reads it", { cause });
  }
}

function toBytes(slice: unknown): Uint8Array {
  if (slice instanceof Uint8Array) return slice;
  if (typeof slice === "string") return encoder.encode(slice);
  throw refused("a body's slices are Uint8Array or string", slice);
}

function refused(message: string, value: unknown): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `${message}; given: ${describe(value)}`, {
    details: { given: describe(value) },
  });
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? name : "object";
}

// Structural tests: bodies may come from another realm, a polyfill or a test environment.
const isArrayBuffer = (value: object): value is ArrayBuffer =>
  value instanceof ArrayBuffer || Object.prototype.toString.call(value) === "[object ArrayBuffer]";
const isBlob = (value: object): value is Blob =>
  "stream" in value && typeof value.stream === "function" && "size" in value && typeof value.size === "number";
const isReadableStream = (value: object): value is ReadableStream<BodySlice> =>
  "getReader" in value && typeof value.getReader === "function";
const isDestroyable = (value: object): value is { destroy(): unknown } =>
  "destroy" in value && typeof value.destroy === "function";
const isAsyncIterable = (value: object): value is AsyncIterable<BodySlice> => Symbol.asyncIterator in value;
const isIterable = (value: object): value is Iterable<BodySlice> => Symbol.iterator in value;
