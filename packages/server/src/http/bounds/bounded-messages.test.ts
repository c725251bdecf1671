import { describe, expect, it } from "vitest";
import { boundedMessages, ownTurn } from "./bounded-messages.ts";
import { HTTP_LIMITS } from "./http-limits.ts";

/** Numbers the turns of the event loop until it is stopped. */
function countTurns(): { readonly now: () => number; readonly stop: () => void } {
  let turn = 0;
  let on = true;
  const step = (): void => {
    turn++;
    if (on) setImmediate(step);
  };
  setImmediate(step);
  return { now: () => turn, stop: () => (on = false) };
}

/** Reads bodies of one slice side by side, and returns in which turn each of them ended. */
async function endsOf(
  bodies: number,
  options: { readonly bytes: number; readonly inTurns: boolean },
): Promise<number[]> {
  const turns = countTurns();
  const read = async (): Promise<number> => {
    async function* body(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(options.bytes);
    }
    const messages = boundedMessages(body(), { ...options, framing: undefined, refuse: (error) => error as Error });
    for await (const _ of messages);
    return turns.now();
  };
  const ends = await Promise.all(Array.from({ length: bodies }, read));
  turns.stop();
  return ends;
}

describe("long lists that come in together", () => {
  const long = HTTP_LIMITS.DECODED_AT_ONCE_MAX_BYTES.value + 1;

  it("end in one turn of the event loop each", async () => {
    expect(new Set(await endsOf(10, { bytes: long, inTurns: true })).size).toBe(10);
  });

  it("do not wait for each other if they are short, or if they are bytes", async () => {
    expect(new Set(await endsOf(10, { bytes: long - 1, inTurns: true })).size).toBe(1);
    expect(new Set(await endsOf(10, { bytes: long, inTurns: false })).size).toBe(1);
  });

  it("have turns in the order in which they ask", async () => {
    const order: number[] = [];
    await Promise.all([0, 1, 2].map(async (each) => ownTurn().then(() => order.push(each))));
    expect(order).toEqual([0, 1, 2]);
  });
});
