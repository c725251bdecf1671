import { AshlarError, throwIfAborted } from "../errors/index.ts";
import type { OpenedObject } from "../ports/index.ts";
import { withAttributes } from "./attributes.ts";
import type { Explain } from "./call-error.ts";
import type { CallScope } from "./call-options.ts";
import type { GetObjectResult } from "./inputs.ts";

/** The call that a read belongs to. */
export interface ReadContext {
  /** Rests until the bytes are asked for. */
  readonly scope: CallScope;
  readonly explain: Explain;
}

/** What the app gets for an opened object. While nobody reads it, it holds neither a timer nor a listener. */
export function createGetResult(opened: OpenedObject, context: ReadContext): GetObjectResult {
  const slices = (): Slices => readSlices(opened, context);
  const bytes = async (): Promise<Uint8Array<ArrayBuffer>> => {
    const all = new Uint8Array(opened.length);
    let at = 0;
    for await (const slice of slices()) {
      all.set(slice, at);
      at += slice.byteLength;
    }
    return all;
  };
  const text = async (): Promise<string> => new TextDecoder().decode(await bytes());
  return {
    ...withAttributes(opened.info),
    offset: opened.offset,
    length: opened.length,
    bytes,
    text,
    json: async () => parseJson(await text(), context.explain),
    stream: () => toReadableStream(slices()),
    [Symbol.asyncIterator]: slices,
  };
}

type Slices = AsyncIterableIterator<Uint8Array<ArrayBuffer>, undefined>;

/**
 * The bytes, from the first `next()` to the last one, an error, `return()` or the client's `close()`. No generator: its `return()` would wait
 * for a `next()` that a silent server keeps waiting.
 */
function readSlices(opened: OpenedObject, { scope, explain }: ReadContext): Slices {
  let source: AsyncIterator<Uint8Array> | undefined;
  let ended = false;
  const end = (): void => {
    ended = true;
    if (source !== undefined) scope.rest(); // without a source, another iterator may be reading
  };
  const begin = (): AsyncIterator<Uint8Array> => {
    const iterator = opened.read()[Symbol.asyncIterator]();
    source = iterator;
    scope.wake();
    throwIfAborted(scope.signal);
    return iterator;
  };
  return {
    async next() {
      if (ended) return { done: true, value: undefined };
      try {
        const { done, value } = await (source ?? begin()).next();
        // The engine allocates every slice, over memory that is not shared.
        if (done !== true) return { done: false, value: value as Uint8Array<ArrayBuffer> };
      } catch (error) {
        if (!ended) {
          end();
          throw explain(error);
        }
      }
      if (!ended) end();
      return { done: true, value: undefined };
    },
    async return() {
      if (ended) return { done: true, value: undefined };
      end();
      if (source === undefined) return { done: true, value: undefined };
      scope.abort(new AshlarError("CANCELED", "the reader stopped"));
      source.return?.().then(undefined, () => {}); // the abort ends it, and nobody needs to wait for that
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function parseJson(text: string, explain: Explain): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw explain(new AshlarError("INVALID_ARGUMENT", "the object is not JSON", { cause }));
  }
}

function toReadableStream(slices: Slices): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const next = await slices.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await slices.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
