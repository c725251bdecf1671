import type { HttpExchange } from "./http-exchange.ts";
import { slicesOf } from "./stream-slices.ts";

/**
 * HTTP over fetch, without upload progress. A redirect is returned as an answer, as in Node's clients: with `redirect: "error"` it would look like a
 * server that cannot be reached.
 *
 * @param fetch default: the global one, looked up at each call.
 */
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
