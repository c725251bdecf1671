import type { HttpExchange } from "./http-exchange.ts";
import { slicesOf } from "./stream-slices.ts";

/** HTTP over fetch. A redirect is an answer like any other, as in Node's clients: `error` would make a server that is away of it. Upload progress is more than fetch can tell. @param fetch default: the global one, looked up at each call. */
export function createFetchExchange(fetch?: typeof globalThis.fetch): HttpExchange {
  return async ({ method, url, headers, body, signal }) => {
    const init: RequestInit = { method, headers, redirect: "manual", body: (body as BodyInit | undefined) ?? null };
    if (signal !== undefined) init.signal = signal;
    const response = await (fetch ?? globalThis.fetch)(url, init);
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      body: slicesOf(response.body),
    };
  };
}
