import type { PutObjectRequest } from "@ashlar/sdk/ports";
import type { ContextValues } from "@connectrpc/connect";
import { REQUEST_CONTEXT } from "../http/request-context.ts";

/**
 * The body of an object that is being put. Where neither a size nor a digest was declared, its end is what makes the object whole, and is believed only
 * once the client has not taken the request back: HTTP/2 clients cancel by ending the body in order and resetting the stream behind it.
 */
export function confirmedBody(
  body: AsyncIterable<Uint8Array>,
  { sizeBytes, sha256 }: Pick<PutObjectRequest, "sizeBytes" | "sha256">,
  values: ContextValues | undefined,
): AsyncIterable<Uint8Array> {
  const confirmEnd = values?.get(REQUEST_CONTEXT).confirmEnd;
  if (confirmEnd === undefined || sizeBytes !== undefined || sha256 !== undefined) return body;
  return {
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
      const inner = body[Symbol.asyncIterator]();
      return {
        async next() {
          const next = await inner.next();
          if (next.done !== true) return next;
          await confirmEnd();
          return { done: true, value: undefined };
        },
        async return() {
          await inner.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
