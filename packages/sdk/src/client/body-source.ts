import { AshlarError } from "../errors/index.ts";
import { describe, isBlob, isBytes, isIterable, toBytes } from "./body-kinds.ts";
import { decoded, type HeldBody } from "./held-body.ts";

/** A slice of a streamed body; strings are taken as UTF-8. */
export type BodySlice = Uint8Array | string;

/**
 * What `putObject` takes. Blob covers File, AsyncIterable covers Node's Readable. Strings are taken as UTF-8, and a Response or Request as its body.
 *
 * The call takes a stream or an iterator when it is made, and reads it once. It refuses a stream that was read, cancelled, destroyed or locked
 * before, and an iterator that another call took. It cannot tell an iterator that other code has advanced from a new one: of a generator that was
 * looped over before, it stores the rest, which may be nothing. Give `sizeBytes` where that can happen. If the call fails, a web stream is cancelled,
 * a Node Readable is destroyed, and an iterator is told to return.
 *
 * Bytes in memory, also the slices of an array, are borrowed until the call settles: if they change before, the old or the new bytes are stored. A
 * Node Readable that decodes (`createReadStream(file, "utf8")`) is taken only with the encoding utf8. It is refused at the first byte that is not
 * UTF-8, because that byte is lost. A Readable that is told to decode after the call is refused at the first text that it gives. Half a surrogate
 * pair in a string has no UTF-8 form: it becomes U+FFFD, as in a Blob or a request of fetch.
 *
 * A length that the body declares is compared with its bytes: a Blob's size, the `content-length` of a Response, `start` to `end` of a file stream.
 * Too few or too many bytes are INVALID_ARGUMENT, and nothing is written.
 */
export type ObjectBody =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Response
  | Request
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

const EXPECTED =
  "a body is a string, Uint8Array, ArrayBuffer, Blob, Response, ReadableStream or an iterable of Uint8Array";

/**
 * Turns every kind of body into one kind of stream. Reads nothing yet, and copies nothing.
 *
 * @throws {AshlarError} the body's `problem`; INVALID_ARGUMENT naming what was given, for anything that is no {@link ObjectBody}. The stream throws
 *   it for a slice that is neither Uint8Array nor string. An error that the body itself throws passes through unchanged.
 */
export function toByteStream({ source, given, reader, encoding, problem }: HeldBody): ByteStream {
  if (problem !== undefined) throw problem;
  if (source === null && given !== null) return { ...knownLength(given), stream: encodeAll([]) };
  const bytes = isBytes(source) || typeof source === "string" ? toBytes(source) : undefined;
  if (bytes !== undefined) return { sizeBytes: bytes.byteLength, stream: encodeAll([bytes]) };
  if (typeof source !== "object" || source === null) throw refused(source);
  if (reader !== undefined) return { ...knownLength(given), stream: readAll(() => reader) };
  if (isBlob(source)) return { sizeBytes: source.size, stream: readAll(() => source.stream().getReader()) };
  // Other typed arrays iterate over numbers: better refused here than at the first slice.
  if (isIterable(source) && !ArrayBuffer.isView(source))
    return { ...knownLength(given), stream: encodeAll(source, encoding) };
  throw refused(source);
}

/** The length that a body declares, if that counts exactly the bytes that the body gives. */
function knownLength(body: unknown): { sizeBytes?: number } {
  const { headers, bytesRead, start = 0, end } = body as Readonly<Record<string, unknown>>;
  const sizeBytes = isHeaders(headers)
    ? // fetch decodes an encoded body, but the header still has the length of the encoded bytes.
      !headers.get("content-encoding") && Number(headers.get("content-length") ?? Number.NaN)
    : typeof bytesRead === "number" && (end as number) - (start as number) + 1;
  return Number.isSafeInteger(sizeBytes) ? { sizeBytes: sizeBytes as number } : {};
}

/**
 * Gives slices as bytes. No generator: its `return()` would wait for a `next()` that hangs, and a stalled source would never be told to stop.
 */
function encodeAll(
  body: (AsyncIterable<unknown> | Iterable<unknown>) & { readonly readableEncoding?: unknown },
  encoding?: unknown,
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]();
      // The iterator of a Node Readable is a generator itself, so the stream is destroyed instead.
      const stop = async (): Promise<void> => {
        if (isDestroyable(body)) body.destroy();
        else await iterator.return?.();
      };
      return byteIterator(
        async () => iterator.next(),
        stop,
        (text) => {
          // In the text of a stream that decodes, U+FFFD can mean lost bytes.
          if (body.readableEncoding !== encoding || (encoding && text.includes("\ufffd")))
            throw decoded(body.readableEncoding);
        },
      );
    },
  };
}

/** Reads through a reader, because Safari's ReadableStream is no AsyncIterable. */
function readAll(open: () => ReadableStreamDefaultReader<unknown>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      let reader: ReadableStreamDefaultReader<unknown> | undefined;
      const next = async (): Promise<IteratorResult<unknown>> => {
        reader ??= open();
        const { done, value } = await reader.read();
        return done ? { done, value: undefined } : { done, value };
      };
      return byteIterator(next, async () => reader?.cancel());
    },
  };
}

/**
 * @param stop called once at most: when the reader stops early, or when a slice is refused.
 * @param assertText throws for a slice of text that is not what the source read.
 */
function byteIterator(
  next: () => Promise<IteratorResult<unknown>>,
  stop: () => Promise<void>,
  assertText: (text: string) => void = () => {},
): AsyncIterator<Uint8Array, undefined> {
  let ended = false;
  /** First half of a surrogate pair whose second half comes with the next slice. */
  let half = "";
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    // The caller gets the error that ended the reading. A source that failed rejects `stop` with the same error again.
    await stop().catch(() => undefined);
  };
  const encode = (slice: unknown): Uint8Array => {
    if (half === "" && typeof slice !== "string") return toBytes(slice);
    const text = typeof slice === "string" ? half + slice : half;
    if (typeof slice === "string") assertText(text);
    const cut = typeof slice === "string" && /[\ud800-\udbff]$/.test(text);
    half = cut ? text.slice(-1) : "";
    const bytes = toBytes(cut ? text.slice(0, -1) : text);
    return typeof slice === "string" ? bytes : joined(bytes, toBytes(slice));
  };
  return {
    async next() {
      if (ended) return { done: true, value: undefined };
      const slice = await next();
      if (slice.done === true) {
        ended = true;
        if (half !== "") return { done: false, value: toBytes(half) };
        return { done: true, value: undefined };
      }
      try {
        return { done: false, value: encode(slice.value) };
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

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.byteLength + second.byteLength);
  both.set(first);
  both.set(second, first.byteLength);
  return both;
}

function refused(value: unknown): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `${EXPECTED}; given: ${describe(value)}`, {
    details: { given: describe(value) },
  });
}

const isHeaders = (value: unknown): value is Headers =>
  typeof value === "object" && value !== null && "get" in value && typeof value.get === "function";
const isDestroyable = (value: object): value is { destroy(): unknown } =>
  "destroy" in value && typeof value.destroy === "function";
