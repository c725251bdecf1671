import { AshlarError } from "../errors/index.ts";
import type { OpenedObject } from "../ports/index.ts";
import type { CallScope } from "./call-options.ts";
import type { GetObjectResult } from "./inputs.ts";

/** Dresses an opened object for the app. @param scope ends when the bytes have been taken or given up. */
export function createGetResult(opened: OpenedObject, scope: CallScope): GetObjectResult {
  const iterate = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* opened.read();
    } catch (error) {
      throw AshlarError.from(error);
    } finally {
      scope.end();
    }
  };
  const bytes = async (): Promise<Uint8Array> => {
    const all = new Uint8Array(opened.length);
    let at = 0;
    for await (const slice of iterate()) {
      all.set(slice, at);
      at += slice.byteLength;
    }
    return all;
  };
  const text = async (): Promise<string> => new TextDecoder().decode(await bytes());
  return {
    ...opened.info,
    offset: opened.offset,
    length: opened.length,
    bytes,
    text,
    json: async () => parseJson(await text()),
    stream: () => toReadableStream(iterate()),
    [Symbol.asyncIterator]: iterate,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AshlarError("INVALID_ARGUMENT", "the object is not JSON", { cause });
  }
}

function toReadableStream(source: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await source.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await source.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
