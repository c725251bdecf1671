import { setImmediate as nextTurn } from "node:timers/promises";
import type { DescMessage } from "@bufbuild/protobuf";
import { createFieldCounter, type FieldCounter } from "./field-counter.ts";
import { HTTP_LIMITS } from "./http-limits.ts";

/** How the messages of a body are framed. */
export interface MessageFraming {
  readonly desc: DescMessage;
  readonly fieldsMax: number;
  /** Each message follows five bytes with its length, as in gRPC; else the body is one message. */
  readonly enveloped: boolean;
}

const ENVELOPE_BYTES = 5;

let lastTurn: Promise<void> = Promise.resolve();

/**
 * Waits for a turn of the event loop that no other caller of this function gets. A long list is decoded in one go when its last bytes are there.
 * Without turns, bodies that come in together would be decoded one after the other, before anything else runs.
 */
export function ownTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => nextTurn());
  return lastTurn;
}

/**
 * Passes a body of protobuf messages through, and refuses one with too many fields while it comes in: before it is collected to its end and decoded.
 *
 * @param options.framing `undefined`: any body, and nothing is counted.
 * @param options.inTurns above DECODED_AT_ONCE_MAX_BYTES, each slice waits for its own turn of the event loop; default false.
 * @param options.refuse turns INVALID_ARGUMENT, and what the body throws, into the error that the reader gets.
 */
export function boundedMessages(
  body: AsyncIterable<Uint8Array>,
  options: {
    readonly framing: MessageFraming | undefined;
    readonly inTurns?: boolean;
    readonly refuse: (error: unknown) => Error;
  },
): AsyncIterable<Uint8Array> {
  const { framing, inTurns = false, refuse } = options;
  return {
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
      const inner = body[Symbol.asyncIterator]();
      const look = framing && lookOver(framing);
      let passedBytes = 0;
      const fail = (error: unknown): never => {
        inner.return?.().then(undefined, () => {});
        throw refuse(error);
      };
      // Not async: this runs for every slice of every upload, and seldom waits.
      const pass = (next: IteratorResult<Uint8Array>) => {
        const passed: IteratorResult<Uint8Array, undefined> = next.done ? { done: true, value: undefined } : next;
        if (passed.done !== true) {
          look?.(passed.value);
          passedBytes += passed.value.byteLength;
        }
        const isLong = inTurns && passedBytes > HTTP_LIMITS.DECODED_AT_ONCE_MAX_BYTES.value;
        return isLong ? ownTurn().then(() => passed) : passed;
      };
      return {
        next: () => inner.next().then(pass).catch(fail),
        async return() {
          await inner.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function lookOver({ desc, fieldsMax, enveloped }: MessageFraming): (bytes: Uint8Array) => void {
  const counter = createFieldCounter(desc, fieldsMax);
  if (enveloped) return lookOverEnvelopes(counter);
  counter.begin(Number.POSITIVE_INFINITY);
  return (bytes) => counter.feed(bytes);
}

function lookOverEnvelopes(counter: FieldCounter): (bytes: Uint8Array) => void {
  let headBytes = 0;
  let length = 0;
  let left = 0;
  return (bytes) => {
    for (let index = 0; index < bytes.length; ) {
      if (left > 0) {
        const part = bytes.subarray(index, index + left);
        counter.feed(part);
        left -= part.length;
        index += part.length;
        continue;
      }
      // The first of the five bytes is flags.
      length = headBytes === 0 ? 0 : length * 256 + (bytes[index] as number);
      index++;
      headBytes++;
      if (headBytes < ENVELOPE_BYTES) continue;
      headBytes = 0;
      left = length;
      counter.begin(length);
    }
  };
}
