import { AshlarError, callerError } from "../errors/ashlar-error.ts";

/**
 * A body that one call holds: nobody else can read it, and its error ends that call instead of the process.
 *
 * It is taken in the turn of the call: while the seat is still opening, a file stream may fail, and other code may read a web stream.
 */
export interface HeldBody {
  /** What to read: the caller's body, or that of a Response or Request; `null` if that has no body. */
  readonly source: unknown;
  /** What the caller gave. */
  readonly given: unknown;
  /** The lock on a web stream. */
  readonly reader: ReadableStreamDefaultReader<unknown> | undefined;
  /** The encoding of a Node stream when it was taken. With another one it changes its bytes. */
  readonly encoding: unknown;
  /** Why it cannot be stored: read already, locked, failed. */
  readonly problem: AshlarError | undefined;
  /** Ends the call's hold. @param isStored if false, the rest is cancelled or destroyed, so that no file or connection stays open for it. */
  letGo(isStored: boolean): void;
}

/** Iterators that a call took: what is left of them is not the whole body. */
const taken = new WeakSet<object>();

/** Takes a body for one call. Never throws: a fault of the body is its `problem`. */
export function holdBody(given: unknown): HeldBody {
  const source: unknown = isObject(given) && "bodyUsed" in given ? given.body : given;
  let reader: HeldBody["reader"];
  let encoding: unknown;
  let problem: AshlarError | undefined;
  try {
    if (!isObject(source)) {
      if (isObject(given) && given.bodyUsed === true) throw spent();
    } else if (isReadableStream(source)) reader = lock(source);
    else if (typeof source.on === "function") encoding = holdNodejsStream(source as unknown as NodejsStream);
    else if (typeof source.next === "function") {
      if (taken.has(source)) throw spent();
      taken.add(source);
    }
  } catch (error) {
    problem = AshlarError.from(error, "INVALID_ARGUMENT");
  }
  return {
    source,
    given,
    reader,
    encoding,
    problem,
    letGo(isStored) {
      if (!isStored && isObject(source)) giveUp(source, reader);
      reader?.releaseLock();
    },
  };
}

/** What we use of a Node stream; older streams may lack some of it. */
interface NodejsStream {
  on(event: "error", listener: () => void): unknown;
  readonly readable?: boolean;
  readonly readableDidRead?: boolean;
  readonly readableEncoding?: string | null;
  readonly destroyed?: boolean;
  readonly errored?: unknown;
}

const UTF8 = /^utf-?8$/i;

/** @returns its encoding. */
function holdNodejsStream(stream: NodejsStream): unknown {
  // Never removed: a file that cannot be opened may say so long after the call, and an error without a listener ends the process.
  stream.on("error", () => {});
  if (stream.errored) {
    const error = callerError("the body", stream.errored);
    // `break` in a loop and `destroy()` abort the stream, but nobody canceled this call.
    throw error.code === "INVALID_ARGUMENT" ? error : spent(stream.errored);
  }
  if (stream.readableDidRead || stream.destroyed || stream.readable === false) throw spent();
  const { readableEncoding: encoding } = stream;
  if (encoding && !UTF8.test(encoding)) throw decoded(encoding);
  return encoding;
}

/** The error for a Node stream whose texts are not the bytes that it read. */
export function decoded(encoding: unknown): AshlarError {
  return new AshlarError(
    "INVALID_ARGUMENT",
    `the body is a stream with the encoding ${encoding}, which changes its bytes: make it without`,
  );
}

function lock(stream: ReadableStream<unknown>): ReadableStreamDefaultReader<unknown> {
  if (stream.locked) {
    throw new AshlarError("INVALID_ARGUMENT", "the body's ReadableStream is locked: someone else reads it");
  }
  try {
    // The only way to find out whether a web stream was read or cancelled before (Fetch, "extract a body"). Reads and locks nothing.
    if (stream instanceof ReadableStream) new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>);
  } catch (cause) {
    throw spent(cause);
  }
  return stream.getReader();
}

function giveUp(source: Members, reader: HeldBody["reader"]): void {
  const ignore = (): void => {}; // the caller gets the error of the call instead
  try {
    if (reader !== undefined) reader.cancel().catch(ignore);
    else if (isUntouchedRequest(source)) return;
    else if (typeof source.destroy === "function") source.destroy();
    else if (typeof source.next === "function" && typeof source.return === "function")
      Promise.resolve(source.return()).catch(ignore);
  } catch {
    // as above
  }
}

/** Node's HTTP server drops the unread body of a request after the app has answered. To destroy the request would also end the answer. */
function isUntouchedRequest({ method, readableDidRead }: Members): boolean {
  return typeof method === "string" && readableDidRead === false;
}

function spent(cause?: unknown): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", "the body was read or cancelled before: make a new one for each call", {
    cause,
  });
}

type Members = Readonly<Record<string, unknown>> & { destroy?: unknown; next?: unknown; return?: unknown };

const isObject = (value: unknown): value is Members => typeof value === "object" && value !== null;
const isReadableStream = (value: object): value is ReadableStream<unknown> =>
  "getReader" in value && typeof value.getReader === "function";
