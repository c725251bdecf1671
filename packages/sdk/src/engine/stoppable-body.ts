import { callerError } from "../errors/ashlar-error.ts";
import { raceAbort } from "../internal/linked-abort.ts";

/**
 * A body that stops with a signal, also while it hangs.
 *
 * An async generator in between would queue `return()` behind the `next()` that hangs, so that a stalled source (a socket, a file) would never
 * hear that nobody wants it any more. Here an abort rejects the pull and tells the source at once; its answer is not waited for.
 */
export function stoppableBody(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = body[Symbol.asyncIterator]();
      let stopped = false;
      const stop = (): void => {
        if (stopped) return;
        stopped = true;
        iterator.return?.()?.then(undefined, () => {}); // the error that stopped the reader is the one to tell
      };
      return {
        async next() {
          try {
            return await raceAbort(iterator.next(), signal);
          } catch (error) {
            if (!signal.aborted) throw callerError("the body", error);
            stop();
            throw error;
          }
        },
        async return() {
          stop();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
