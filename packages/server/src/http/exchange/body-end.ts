import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";

// Node's own HTTP/2 client (and with it grpc-js and connect-node) aborts a request by ending its body in order and resetting the stream behind it, so
// that an aborted upload would be taken for a short one.

/** Whether the client reset a stream right after its end. */
export async function wasReset(stream: Pick<ServerHttp2Stream, "closed">): Promise<boolean> {
  // Both frames leave together: as a rule the second is seen in the next turn of the event loop at the latest.
  for (let turn = 0; turn < 2 && !stream.closed; turn++) await new Promise((resolve) => setImmediate(resolve));
  return stream.closed;
}

/**
 * Makes `confirmEnd` of an HTTP/2 exchange. `undefined` if the request has no body, or declares its length: HTTP/2 refuses a body of another length.
 *
 * @param signal aborts when the exchange ends without its answer.
 */
export function endConfirmation(
  { req, stream }: Http2ServerResponse,
  { clock, signal }: { readonly clock: Pick<Clock, "sleep">; readonly signal: AbortSignal },
): (() => Promise<void>) | undefined {
  if (req.headers["content-length"] !== undefined || stream.endAfterHeaders) return undefined;
  return async () => {
    await clock.sleep(HTTP_LIMITS.LATE_RESET_MS.value, { signal });
    // A busy process may wake up before it has read what came meanwhile.
    if (await wasReset(stream)) throw new AshlarError("CANCELED", "the client took the request back");
  };
}
