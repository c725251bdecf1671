import { fixed, KIB, MIB, type TransferProgress } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { testBytes, testStream } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;

interface Observed extends TransferProgress {
  readonly atMs: number;
}

function observe(): { readonly events: Observed[]; readonly onProgress: (progress: TransferProgress) => void } {
  const events: Observed[] = [];
  return { events, onProgress: (progress) => events.push({ ...progress, atMs: performance.now() }) };
}

function expectMonotonic(events: readonly Observed[], totalBytes: number): void {
  for (let index = 1; index < events.length; index++) {
    expect(events[index]!.transferredBytes).toBeGreaterThanOrEqual(events[index - 1]!.transferredBytes);
  }
  expect(events.at(-1)).toMatchObject({ transferredBytes: totalBytes, totalBytes });
}

/** The longest pause between two events while bytes moved, in ms. */
function longestPauseMs(events: readonly Observed[]): number {
  return Math.max(...events.slice(1).map((event, index) => event.atMs - events[index]!.atMs));
}

/** Progress, in both directions. */
export function progressCases(use: UseContext): void {
  describe("progress", () => {
    test.each([
      ["empty", 0],
      ["inline", 100],
      ["chunked", 20 * CHUNK + 1],
    ])("of an object that is %s never goes back, and ends with the total", async (_, sizeBytes) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const up = observe();
      await client.putObject({ ...ref, body: testBytes(sizeBytes), chunker: fixed(CHUNK), onProgress: up.onProgress });
      expectMonotonic(up.events, sizeBytes);
      const down = observe();
      await (await client.getObject({ ...ref, onProgress: down.onProgress })).bytes();
      expectMonotonic(down.events, sizeBytes);
    });

    test("of a range counts the range", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: testBytes(5 * CHUNK), chunker: fixed(CHUNK) });
      const { events, onProgress } = observe();
      await (await client.getObject({ ...ref, range: { offset: 10, length: 2 * CHUNK }, onProgress })).bytes();
      expectMonotonic(events, 2 * CHUNK);
    });

    test("of an upload comes 10 times a second while its body comes slowly", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { events, onProgress } = observe();
      const body = async function* (): AsyncGenerator<Uint8Array> {
        for await (const slice of testStream(25 * CHUNK, { sliceBytes: CHUNK })) {
          await new Promise((resolve) => setTimeout(resolve, 25));
          yield slice;
        }
      };
      await client.putObject({ ...ref, body: body(), chunker: fixed(CHUNK), onProgress });
      const spentMs = events.at(-1)!.atMs - events[0]!.atMs;
      expect(events.length).toBeGreaterThanOrEqual(Math.floor(spentMs / 100));
      expect(events[0]!.totalBytes).toBeUndefined();
      expectMonotonic(events, 25 * CHUNK);
    });

    test("comes 10 times a second on a slow way, within a chunk too", { timeout: 60_000 }, async (test) => {
      const { client, bucket, subject } = use();
      const { throttle } = subject;
      if (throttle === undefined)
        return test.skip("there is no way to slow down: nothing lies between client and store");
      const ref = { bucket: await bucket(), key: "wall" };
      const body = testBytes(4 * MIB);
      const up = observe();
      const down = observe();
      throttle(4 * MIB);
      try {
        await client.putObject({ ...ref, body, onProgress: up.onProgress });
        const got = await client.getObject({ ...ref, onProgress: down.onProgress });
        expect(await got.bytes()).toEqual(body);
      } finally {
        throttle(undefined);
      }
      expectMonotonic(up.events, body.byteLength);
      expectMonotonic(down.events, body.byteLength);
      expect(down.events.length).toBeGreaterThan(5);
      expect(longestPauseMs(down.events)).toBeLessThan(250);
      if (!subject.uploadProgress) return;
      expect(up.events.length).toBeGreaterThan(5);
      expect(longestPauseMs(up.events)).toBeLessThan(250);
    });
  });
}
