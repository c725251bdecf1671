import { abortError, callerError } from "../errors/ashlar-error.ts";

/**
 * A body that stops with a signal, also while it hangs.
 *
 * An async generator in between would queue `return()` behind the `next()` that hangs, so that a stalled source (a socket, a file) would never
 * hear that nobody wants it any more. Here an abort rejects the pull and tells the source at once; its answer is not waited for.
 *
 * One listener for the whole body, gone with its end: bodies may come in slices of 100 bytes, and one for each slice cost more than all else.
 */
export function stoppableBody(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = body[Symbol.asyncIterator]();
      let ended = false;
      /** Rejects the pull that runs. */
      let giveUp: ((error: unknown) => void) | undefined;
      const end = (): void => {
        ended = true;
        giveUp = undefined;
        signal.removeEventListener("abort", onAbort);
      };
      const stop = (): void => {
        if (ended) return;
        end();
        iterator.return?.()?.then(undefined, () => {}); // the error that stopped the reader is the one to tell
      };
      const onAbort = (): void => {
        const reject = giveUp;
        if (reject === undefined) return; // between two pulls: the next one sees the signal
        stop();
        reject(abortError(signal));
      };
      signal.addEventListener("abort", onAbort);
      const pull = (resolve: (slice: IteratorResult<Uint8Array>) => void, reject: (error: unknown) => void): void => {
        const fail = (error: unknown): void => {
          end();
          reject(callerError("the body", error));
        };
        const settle = (slice: IteratorResult<Uint8Array>): void => {
          giveUp = undefined;
          if (slice.done === true) end();
          resolve(slice);
        };
        giveUp = reject;
        try {
          iterator.next().then(settle, fail);
        } catch (error) {
          fail(error);
        }
      };
      return {
        next() {
          if (!signal.aborted) return new Promise(pull);
          stop();
          return Promise.reject(abortError(signal));
        },
        async return() {
          stop();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
