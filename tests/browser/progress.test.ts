import { MIB, type ObjectClient, type TransferProgress } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RUN_ID } from "#platform";
import { testBytes } from "../support/test-bytes.ts";
import { WAYS } from "./browser-subjects.ts";
import { onSlowNetwork } from "./slow-network.ts";

/** One default chunk, so that all progress is progress within a chunk. */
const SIZE = 4 * MIB;
const BYTES_PER_SECOND = 4 * MIB;

interface Observed extends TransferProgress {
  readonly atMs: number;
}

/**
 * Progress within the one chunk. How often it comes is noted, not checked: ten times a second on an idle machine (progress-tracker.test.ts). What
 * follows the last byte (copies, disks, the commit) is no movement.
 */
function expectMovement(events: readonly Observed[]): void {
  const last = events.findIndex((event) => event.transferredBytes === SIZE);
  const moving = events.slice(0, last);
  for (let index = 1; index < events.length; index++) {
    expect(events[index]!.transferredBytes).toBeGreaterThanOrEqual(events[index - 1]!.transferredBytes);
  }
  expect(last).toBeGreaterThan(0);
  const inBetween = new Set(moving.map((event) => event.transferredBytes).filter((bytes) => bytes > 0));
  expect(inBetween.size).toBeGreaterThanOrEqual(2);
}

describe.each(WAYS)("progress on a slow network, %s", { timeout: 60_000 }, (way, open) => {
  const ref = { bucket: `slow-${RUN_ID}-${way.replaceAll(" ", "-")}`, key: "wall" };
  let client: ObjectClient;
  let seed = 0;
  beforeAll(async () => {
    client = open();
    await client.createBucket({ bucket: ref.bucket });
  });
  afterAll(() => client.close());

  test("comes within a chunk, up and down", async ({ annotate }) => {
    // Other bytes each time: the client does not send chunks that the cluster already has.
    const body = testBytes(SIZE, WAYS.findIndex(([name]) => name === way) * 100 + ++seed);
    const up: Observed[] = [];
    const down: Observed[] = [];
    const into = (events: Observed[]) => (progress: TransferProgress) =>
      void events.push({ ...progress, atMs: performance.now() });
    await onSlowNetwork(BYTES_PER_SECOND, async () => {
      await client.putObject({ ...ref, body, durability: "os", onProgress: into(up) });
      const got = await client.getObject({ ...ref, onProgress: into(down) });
      expect(await got.bytes()).toEqual(body);
    });
    expectMovement(up);
    expectMovement(down);
    await annotate(`${rate(up)} events/s up, ${rate(down)} down`);
  });
});

function rate(events: readonly Observed[]): string {
  return ((events.length - 1) / ((events.at(-1)!.atMs - events[0]!.atMs) / 1000)).toFixed(1);
}
