import type { HttpExchange } from "./http-exchange.ts";

/** HTTP over fetch. Upload progress is more than fetch can tell. @param fetch default: the global one, looked up at each call. */
export function createFetchExchange(fetch?: typeof globalThis.fetch): HttpExchange {
  return async ({ method, url, headers, body, signal }) => {
    const init: RequestInit = { method, headers, redirect: "error", body: (body as BodyInit | undefined) ?? null };
    if (signal !== undefined) init.signal = signal;
    const response = await (fetch ?? globalThis.fetch)(url, init);
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      body: slicesOf(response.body),
    };
  };
}

/** Web streams are not async iterable everywhere (Safari). */
async function* slicesOf(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array, void, undefined> {
  if (stream === null) return;
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    // Nothing happens where the stream is at its end; otherwise the connection is given up without waiting for it.
    reader.cancel().catch(() => {});
  }
}
