import { AshlarError } from "@ashlar/sdk/errors";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { REQUEST_CONTEXT } from "./request-context.ts";

/**
 * Makes a call's deadline what it is to the rest of the server: the reason of its signal is DEADLINE_EXCEEDED, where an error of the RPC library's would
 * be taken for any abort, and a body that is still on its way ends with it. The library waits for that whatever the time.
 *
 * To be called at the gate, which comes before anything of the body is read.
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
  // The library reads it anew for whatever it calls behind the gate.
  (context as { signal: AbortSignal }).signal = own.signal;
}

function deadlineError(reason: unknown): AshlarError | undefined {
  if (!(reason instanceof ConnectError) || reason.code !== Code.DeadlineExceeded) return undefined;
  return new AshlarError("DEADLINE_EXCEEDED", "the call was not done within the time that its client gave it", {
    cause: reason,
  });
}
