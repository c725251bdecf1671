import type { Sized } from "../piece.ts";

/** Learns what a counted body moves. */
export interface BodyObserver {
  bytes(count: number): void;
  /** Once: after the last byte, an error, or an early return. */
  ended(error?: unknown): void;
}

/** Passes a body through and reports what moved. A plain iterator, not a generator: this runs for every slice of every body. */
export function countedBody<Slice extends Sized>(
  body: AsyncIterable<Slice>,
  observer: BodyObserver,
): AsyncIterable<Slice> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Slice, undefined> {
      const inner = body[Symbol.asyncIterator]();
      let open = true;
      const end = (error?: unknown): void => {
        if (!open) return;
        open = false;
        observer.ended(error);
      };
      return {
        next: () =>
          inner.next().then(
            (result) => {
              if (result.done === true) {
                end();
                return { done: true, value: undefined };
              }
              observer.bytes(result.value.byteLength);
              return result;
            },
            (error: unknown) => {
              end(error);
              throw error;
            },
          ),
        async return() {
          end();
          await inner.return?.();
          return { done: true, value: undefined };
        },
        async throw(error: unknown) {
          end(error);
          await inner.throw?.(error);
          return { done: true, value: undefined };
        },
      };
    },
  };
}
