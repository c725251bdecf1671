import type { Clock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import type { HttpRequest } from "./http-handler.ts";

/** Reports that the work for a request is done; calls after the first do nothing. */
export type Finish = (status: number, error?: unknown) => void;

/** The status of a request whose client went away first, in logs and metrics. */
const CLIENT_GONE = 499;

/**
 * Watches a request to its end, whatever its handler, its answer or its client does.
 *
 * The work ends when `finish` is called, or ABANDONED_MS after the client is gone: work that does not stop when it is told to is not waited for. A
 * known caller's slot is given back when the work and the exchange have ended, an unauthenticated caller's when the work has ended.
 *
 * @param watchers.finished once, with the work's outcome.
 * @param watchers.released once, when nothing of the request is left to bound.
 */
export function finishOnce(
  request: Pick<HttpRequest, "signal" | "exchange">,
  clock: Pick<Clock, "sleep">,
  watchers: { readonly finished: Finish; readonly released: () => void },
): Finish {
  const { signal, exchange } = request;
  const patience = new AbortController();
  let finished = false;
  const finish: Finish = (status, error) => {
    if (finished) return;
    finished = true;
    signal.removeEventListener("abort", onGone);
    patience.abort();
    try {
      watchers.finished(status, error);
    } finally {
      if (exchange === undefined) watchers.released();
      else void exchange.ended.then(watchers.released);
    }
  };
  const onGone = (): void => {
    clock.sleep(HTTP_LIMITS.ABANDONED_MS.value, { signal: patience.signal }).then(
      () => finish(CLIENT_GONE, signal.reason),
      () => {},
    );
  };
  if (signal.aborted) onGone();
  else signal.addEventListener("abort", onGone, { once: true });
  return finish;
}
