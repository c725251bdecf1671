import { AshlarError } from "@ashlar/sdk/errors";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { REQUEST_CONTEXT } from "../request-context.ts";

/**
 * Makes DEADLINE_EXCEEDED the reason of a call's signal when its deadline passes: an error of the RPC library would be taken for any other abort. A
 * body that is still on its way ends with the same error, because the library waits for the body however late it is.
 *
 * To be called at the gate, before any of the body is read.
 */
export function keepDeadline(context: HandlerContext): void {
  const { signal, values } = context;
  const own = new AbortController();
  const onAbort = (): void => {
    const late = deadlineError(signal.reason);
    if (late !== undefined) values.get(REQUEST_CONTEXT).refuseBody?.(late);
    own.abort(late ?? signal.reason);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  // The library reads the signal again for everything that it calls after the gate.
  (context as { signal: AbortSignal }).signal = own.signal;
}

function deadlineError(reason: unknown): AshlarError | undefined {
  if (!(reason instanceof ConnectError) || reason.code !== Code.DeadlineExceeded) return undefined;
  return new AshlarError("DEADLINE_EXCEEDED", "the call was not done within the time that its client gave it", {
    cause: reason,
  });
}
