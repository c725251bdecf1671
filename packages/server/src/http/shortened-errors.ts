import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { HTTP_LIMITS } from "./http-limits.ts";
import { shortened } from "./shortened.ts";

/** Bytes of an error whose message needs no look: our own are held to ERROR_TEXT_MAX and have some details. */
const SHORT_ENOUGH_BYTES = 4096;

const GRPC_MESSAGE = "grpc-message";

/**
 * Shortens the message of an error that Connect made by itself: what it cannot decode it quotes, all of it. Connect's unary errors are JSON in the
 * body, those of gRPC a trailer, which is there when the body has ended.
 */
export async function shortenedErrors(response: UniversalServerResponse): Promise<UniversalServerResponse> {
  const { status, body, trailer } = response;
  if (status >= 400 && body !== undefined) return { ...response, ...(await shortenedJson(response)) };
  if (body === undefined || trailer === undefined) return response;
  return { ...response, body: shortenedAtEnd(body, trailer) };
}

async function shortenedJson(response: UniversalServerResponse): Promise<Partial<UniversalServerResponse>> {
  const slices: Uint8Array[] = [];
  for await (const slice of response.body ?? []) slices.push(slice);
  const bytes = new Uint8Array(Buffer.concat(slices));
  if (bytes.byteLength <= SHORT_ENOUGH_BYTES) return { body: once(bytes) };
  const text = new TextDecoder().decode(bytes);
  let error: { message?: unknown };
  try {
    error = JSON.parse(text) as { message?: unknown };
  } catch {
    return { body: once(bytes) };
  }
  const message = typeof error.message === "string" ? shortened(error.message) : undefined;
  const short = new TextEncoder().encode(JSON.stringify({ ...error, message }));
  const header = new Headers(response.header);
  header.set("content-length", String(short.byteLength));
  return { header, body: once(short) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** A plain iterator, not a generator: every frame of every answer comes through here. */
function shortenedAtEnd(body: AsyncIterable<Uint8Array>, trailer: Headers): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
      const inner = body[Symbol.asyncIterator]();
      const settle = (result: IteratorResult<Uint8Array>): IteratorResult<Uint8Array, undefined> => {
        if (result.done !== true) return result;
        shortenTrailer(trailer);
        return { done: true, value: undefined };
      };
      return {
        next: () => inner.next().then(settle),
        async return() {
          await inner.return?.();
          return { done: true, value: undefined };
        },
        async throw(error: unknown) {
          await inner.throw?.(error);
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function shortenTrailer(trailer: Headers): void {
  const message = trailer.get(GRPC_MESSAGE);
  // Percent-encoded: a character may have come out as nine.
  if (message === null || message.length <= 9 * HTTP_LIMITS.ERROR_TEXT_MAX.value) return;
  trailer.set(GRPC_MESSAGE, encodeURIComponent(shortened(decoded(message))));
}

function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
