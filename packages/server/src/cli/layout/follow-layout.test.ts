import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Layout } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import type { Redundancy } from "../health/redundancy.ts";
import { followLine, waitUntilUnplaced } from "./follow-layout.ts";

const layout = (layoutVersion: number, weights: Readonly<Record<string, number>>): Layout => ({
  ...{ layoutVersion, replicationFactor: 3, virtualNodesPerNode: 150 },
  nodes: Object.entries(weights).map(([nodeId, weight]) => ({ nodeId, weight })),
});
const old = layout(1, { a: 1, b: 1, c: 1, d: 1 });
const drained = layout(2, { a: 1, b: 1, c: 1, d: 0 });
const snapshot = (...layouts: Layout[]): ClusterSnapshot => ({ nodes: [], layouts });

/** Time goes on only when somebody sleeps. */
function testClock() {
  let nowMs = 0;
  return {
    monotonicMs: () => nowMs,
    async sleep(durationMs: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
      nowMs += durationMs;
      if (signal?.aborted) throw AshlarError.from(signal.reason);
    },
  };
}

/** Answers in turn; the last one again and again. */
function waitFor(answers: ReadonlyArray<ClusterSnapshot | AshlarError>, signal = new AbortController().signal) {
  const shown: string[] = [];
  let asked = 0;
  const done = waitUntilUnplaced({
    registry: {
      async clusterSnapshot() {
        const answer = answers[Math.min(asked++, answers.length - 1)];
        if (answer instanceof AshlarError) throw answer;
        return answer!;
      },
    },
    nodeIds: ["d"],
    askFigures: async () => ({}),
    status: { show: (line) => void shown.push(line(false)), end: () => void shown.push("end") },
    clock: testClock(),
    signal,
  });
  return { done, shown, asked: () => asked };
}

test("waiting ends when no layout in use places chunks on the node, not when the newest one does not", async () => {
  const both = snapshot(drained, old);
  const waiting = waitFor([both, both, snapshot(drained)]);
  expect((await waiting.done).layouts).toEqual([drained]);
  expect(waiting.asked()).toBe(3);
  expect(waiting.shown).toEqual([
    "moving the copies of d  layout 1 still in use  0s",
    "moving the copies of d  layout 1 still in use  1s",
    "end",
  ]);
  // Layouts that do not need the node may stay: another change came later.
  const later = layout(3, { a: 1, b: 1, c: 1 });
  expect((await waitFor([snapshot(later, drained)]).done).layouts).toHaveLength(2);
});

test("a later change that brings the node back ends the waiting, which would not end", async () => {
  const back = layout(3, { a: 1, b: 1, c: 1, d: 2 });
  await expect(waitFor([snapshot(drained, old), snapshot(back, drained, old)]).done).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
    message: expect.stringMatching(/^layout 3 places chunks on d again/),
  });
});

test("a registry that is away for a moment is asked again; one that stays away, or refuses, ends the waiting", async () => {
  const away = new AshlarError("METADATA_UNAVAILABLE", "away");
  const waiting = waitFor([away, away, snapshot(drained)]);
  expect((await waiting.done).layouts).toEqual([drained]);
  const gone = waitFor([snapshot(drained, old), away]);
  await expect(gone.done).rejects.toBe(away);
  expect(gone.asked()).toBeGreaterThan(LIMITS.RETRY_FOR_MS / 1000);
  const denied = new AshlarError("PERMISSION_DENIED", "no");
  await expect(waitFor([denied]).done).rejects.toBe(denied);
});

test("an interruption ends the waiting and says that the copies go on moving", async () => {
  const controller = new AbortController();
  controller.abort(new AshlarError("CANCELED", "interrupted"));
  const waiting = waitFor([snapshot(drained, old)], controller.signal);
  await expect(waiting.done).rejects.toMatchObject({
    code: "CANCELED",
    message: expect.stringMatching(/no longer waiting; the copies of d go on moving: keep it running.*layout show/),
  });
  expect(waiting.shown.at(-1)).toBe("end");
});

test("the line says how many chunks are behind and how many copies are to be made, if a gateway tells", () => {
  const figures: Redundancy = {
    moves: { chunkCount: 12, layoutCount: 2 },
    repairs: { kind: "moving", count: 1, sizeBytes: 5, failingCount: 0, bytesPerSecond: 0 },
  };
  const line = followLine({ nodeIds: ["c", "d"], snapshot: snapshot(drained, old), figures, elapsedMs: 61_400 });
  expect(line).toBe("moving the copies of c, d  12 chunks behind  1 copy to make  1m 1s");
});
