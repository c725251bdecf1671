import { nextTurn } from "#platform";
import { testBytes } from "./test-bytes.ts";

/** A body that counts how it is used. */
export interface ObservedBody extends AsyncIterable<Uint8Array> {
  /** Slices asked for so far. */
  readonly pulls: number;
  /** Whether the reader said that it wants no more. */
  readonly returned: boolean;
}

/** One step of a body: a slice, an error to throw, or an endless wait. */
export type BodyStep = Uint8Array | Error | "stall";

/**
 * A body that plays steps and ends after the last one. Its iterator is no generator: `return()` arrives at once, also while a `next()` hangs, as it
 * does with a socket.
 */
export function scriptedBody(steps: Iterable<BodyStep>): ObservedBody {
  let pulls = 0;
  let returned = false;
  return {
    get pulls() {
      return pulls;
    },
    get returned() {
      return returned;
    },
    [Symbol.asyncIterator]() {
      const iterator = steps[Symbol.iterator]();
      return {
        async next() {
          pulls++;
          // As from a socket or file: never within the same turn of the event loop.
          await nextTurn();
          const step = iterator.next();
          if (step.done === true || returned) return { done: true, value: undefined };
          if (step.value === "stall") return new Promise<never>(() => {});
          if (step.value instanceof Error) throw step.value;
          return { done: false, value: step.value };
        },
        async return() {
          returned = true;
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** `count` slices of `sliceBytes` each, all different. */
export function* slices(count: number, sliceBytes: number, seed: number = 1): Generator<Uint8Array> {
  for (let index = 0; index < count; index++) yield testBytes(sliceBytes, seed, index * sliceBytes);
}

/** Slices without end. */
export function* endlessSlices(sliceBytes: number): Generator<Uint8Array> {
  for (let index = 0; ; index++) yield testBytes(sliceBytes, 1, index * sliceBytes);
}
