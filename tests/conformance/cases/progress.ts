import { fixed, KIB, MIB, type TransferProgress } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { RUN_ID } from "#platform";
import { testBytes, testStream } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;
/** One chunk, much larger than what the kernel's socket buffers take at once (up to 10 MB on loopback). */
const SLOW_BYTES = 16 * MIB;
const SLOW_BYTES_PER_SECOND = 10 * MIB;

/** Starts at another number in each run: it is also the seed of the bytes. */
let slowTransfers = Number.parseInt(RUN_ID, 16);

function observe(): { readonly events: TransferProgress[]; readonly onProgress: (progress: TransferProgress) => void } {
  const events: TransferProgress[] = [];
  return { events, onProgress: (progress) => void events.push(progress) };
}

function expectMonotonic(events: readonly TransferProgress[], totalBytes: number): void {
  for (let index = 1; index < events.length; index++) {
    expect(events[index]!.transferredBytes).toBeGreaterThanOrEqual(events[index - 1]!.transferredBytes);
  }
  expect(events.at(-1)).toMatchObject({ transferredBytes: totalBytes, totalBytes });
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

    test("of an upload comes again and again while its body comes slowly", async () => {
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
      // The slices alone take six tenths of a second; on a busy machine one event may tell of several.
      expect(events.length).toBeGreaterThanOrEqual(3);
      expect(events[0]!.totalBytes).toBeUndefined();
      expectMonotonic(events, 25 * CHUNK);
    });
  });
}

/** Progress within a chunk, which needs a slow network. */
export function slowWayCases(use: UseContext): void {
  describe("progress", () => {
    test("comes within a chunk on a slow network", { timeout: 60_000 }, async (test) => {
      const { subject } = use();
      const { openThrottled } = subject;
      if (openThrottled === undefined) return test.skip("nothing lies between client and store that could be slow");
      const { client, close } = await openThrottled(SLOW_BYTES_PER_SECOND);
      // Subjects may share a store, and chunks that it already has are not sent.
      const ref = { bucket: `slow-${RUN_ID}-${++slowTransfers}`, key: "wall" };
      const sizeBytes = subject.uploadProgress ? SLOW_BYTES : SLOW_BYTES / 4;
      const body = testBytes(sizeBytes, slowTransfers);
      const up = observe();
      const down = observe();
      const range = { offset: 0, length: SLOW_BYTES / 4 };
      try {
        await client.createBucket({ bucket: ref.bucket });
        const options = { chunker: fixed(sizeBytes), durability: "os", onProgress: up.onProgress } as const;
        await client.putObject({ ...ref, body, ...options });
        const got = await client.getObject({ ...ref, range, onProgress: down.onProgress });
        expect(await got.bytes()).toEqual(body.subarray(0, range.length));
      } finally {
        await close();
      }
      expectMonotonic(up.events, sizeBytes);
      expectMonotonic(down.events, range.length);
      expect(down.events.length).toBeGreaterThan(3);
      if (!subject.uploadProgress) return;
      // A sender sees bytes go when the kernel takes them, and on loopback it takes them in bursts of megabytes.
      expect(up.events.length).toBeGreaterThan(3);
    });
  });
}
