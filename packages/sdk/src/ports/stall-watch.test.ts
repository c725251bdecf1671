import { describe, expect, test } from "vitest";
import type { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import { createStallWatch, NOT_SENT, type StallWatch } from "./stall-watch.ts";

const TICK_MS = 1000;
const STALLED_TICKS = LIMITS.PEER_STALLED_AFTER_MS / TICK_MS;
const PROBE_TICKS = LIMITS.PEER_PROBE_AFTER_MS / TICK_MS;

interface Watched {
  readonly watch: StallWatch;
  /** Lets seconds pass, with a turn of the event loop in each. */
  pass(ticks: number): Promise<void>;
  /** Answers the running probe. */
  answer(): Promise<void>;
  fail(): Promise<void>;
  readonly state: { probes: number; open: number; resets: number; ticking: boolean };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function watched(): Watched {
  const state = { probes: 0, open: 0, resets: 0, ticking: false };
  let tick = (): void => {};
  let answer = (): void => {};
  let fail = (): void => {};
  const watch = createStallWatch({
    peer: "the server",
    code: "NODE_UNAVAILABLE",
    details: { url: "http://peer" },
    onStalled: () => void state.resets++,
    probe(signal) {
      state.probes++;
      state.open++;
      return new Promise<void>((resolve, reject) => {
        answer = resolve;
        fail = () => reject(new Error("refused"));
        signal.addEventListener("abort", () => state.open--);
      });
    },
    ticker(_, each) {
      state.ticking = true;
      tick = each;
      return () => {
        state.ticking = false;
      };
    },
  });
  return {
    watch,
    state,
    async answer() {
      answer();
      await turn();
    },
    async fail() {
      fail();
      await turn();
    },
    async pass(ticks) {
      for (let count = 0; count < ticks; count++) {
        if (state.ticking) tick();
        await turn();
      }
    },
  };
}

function call(watch: StallWatch): { heard(): void; end(): void; readonly errors: AshlarError[] } {
  const errors: AshlarError[] = [];
  const running = watch.begin((error) => {
    errors.push(error);
    running.end();
  });
  return { ...running, errors };
}

describe("a watch of a peer", () => {
  test("ends all calls when no byte moves and no probe is answered", async () => {
    const { watch, pass, state } = watched();
    const first = call(watch);
    await pass(3);
    const second = call(watch);
    await pass(STALLED_TICKS - 4);
    expect(first.errors).toEqual([]);
    await pass(1);
    for (const { errors } of [first, second])
      expect(errors).toMatchObject([
        { code: "NODE_UNAVAILABLE", details: { url: "http://peer", reason: "STALLED", silentMs: "15000" } },
      ]);
    expect(state).toMatchObject({ probes: 1, resets: 1 });
  });

  test("leaves calls alone while bytes of any of them move", async () => {
    const { watch, pass, state } = watched();
    const silent = call(watch);
    const moving = call(watch);
    for (let round = 0; round < 20; round++) {
      await pass(PROBE_TICKS - 1);
      moving.heard();
    }
    expect([silent.errors, state.probes]).toEqual([[], 0]);
  });

  test("leaves a silent call alone while probes are answered, up to ANSWER_SILENCE_MAX_MS", async () => {
    const { watch, pass, answer, state } = watched();
    const slow = call(watch);
    for (let ticks = 1; ticks < LIMITS.ANSWER_SILENCE_MAX_MS / TICK_MS; ticks++) {
      await pass(1);
      await answer();
    }
    expect(slow.errors).toEqual([]);
    expect(state.probes).toBeGreaterThan(10);
    await pass(1);
    expect(slow.errors).toMatchObject([{ code: "NODE_UNAVAILABLE", details: { reason: "SILENT" } }]);
  });

  test("asks again when a probe was refused, one at a time", async () => {
    const { watch, pass, fail, state } = watched();
    const silent = call(watch);
    await pass(PROBE_TICKS);
    expect(state.probes).toBe(1);
    await fail();
    await pass(1);
    expect(state.probes).toBe(2);
    await pass(STALLED_TICKS - PROBE_TICKS - 1);
    expect([silent.errors.length, state.probes]).toEqual([1, 2]);
  });

  test("sends nothing to a peer that hangs until it shows a sign of life", async () => {
    const { watch, pass, answer } = watched();
    call(watch);
    await pass(STALLED_TICKS + 20);
    expect(watch.isStalled()).toBe(true);
    const refused = watch.ready();
    refused.catch(() => {});
    await pass(3);
    await expect(refused).rejects.toMatchObject({ code: "NODE_UNAVAILABLE", cause: { code: NOT_SENT } });
    await pass(STALLED_TICKS - PROBE_TICKS);
    const awaited = watch.ready();
    await answer();
    await awaited;
    expect(watch.isStalled()).toBe(false);
    await watch.ready();
  });

  test("a call that waits for a sign of life ends with its signal", async () => {
    const { watch, pass } = watched();
    call(watch);
    await pass(STALLED_TICKS);
    const controller = new AbortController();
    const waiting = watch.ready(controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "CANCELED" });
  });

  test("stops its timer when no call runs, and its probe when it is closed", async () => {
    const { watch, pass, state } = watched();
    call(watch).end();
    expect(state.ticking).toBe(true);
    await pass(1);
    expect(state.ticking).toBe(false);
    call(watch);
    await pass(PROBE_TICKS);
    expect([state.ticking, state.open]).toEqual([true, 1]);
    watch.close();
    expect([state.ticking, state.open]).toEqual([false, 0]);
  });

  test("an idle time between two calls is no silence", async () => {
    const { watch, pass } = watched();
    const first = call(watch);
    await pass(STALLED_TICKS - 1);
    first.end();
    await pass(1);
    const second = call(watch);
    await pass(STALLED_TICKS - 1);
    expect(second.errors).toEqual([]);
  });
});
