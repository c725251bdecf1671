import { fixed, KIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { watchAbortListeners } from "#platform";
import { endlessSlices, scriptedBody, slices } from "../../support/bodies.ts";
import { expectAborts, expectCode, expectPrompt } from "../../support/expect-code.ts";
import { testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Aborts and deadlines, in both directions. */
export function abortCases(use: UseContext): void {
  describe("aborting an upload", () => {
    test("before it began is CANCELED, and the body stays untouched", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = scriptedBody(slices(4, CHUNK));
      await expectCode(client.putObject({ ...ref, body, signal: AbortSignal.abort() }), "CANCELED");
      expect(body.pulls).toBe(0);
    });

    test("whose body hangs is CANCELED, and nothing is written", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = scriptedBody([...slices(3, CHUNK), "stall"]);
      const controller = new AbortController();
      const listeners = watchAbortListeners(controller.signal);
      const upload = client.putObject({ ...ref, body, signal: controller.signal, chunker: fixed(CHUNK) });
      // A client that has yet to load its transport begins late.
      await expect.poll(() => body.pulls).toBe(4);
      await expectAborts(controller, upload);
      expect(body.returned).toBe(true);
      expect(listeners.count()).toBe(0);
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });

    test("while bytes move is CANCELED, and the body is read no further", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = scriptedBody(endlessSlices(CHUNK));
      const controller = new AbortController();
      const listeners = watchAbortListeners(controller.signal);
      const upload = client.putObject({ ...ref, body, signal: controller.signal, chunker: fixed(CHUNK) });
      await expect.poll(() => body.pulls).toBeGreaterThan(4);
      await expectAborts(controller, upload);
      const { pulls } = body;
      await pause(20);
      expect(body.pulls).toBe(pulls);
      await expect.poll(() => listeners.count()).toBe(0);
    });
  });

  describe("aborting a download", () => {
    test("before it began is CANCELED", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "x" });
      await expectCode(client.getObject({ ...ref, signal: AbortSignal.abort() }), "CANCELED");
    });

    test("while its bytes are read is CANCELED, and leaves no listener", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: testBytes(30 * CHUNK), chunker: fixed(CHUNK) });
      const controller = new AbortController();
      const listeners = watchAbortListeners(controller.signal);
      const got = await client.getObject({ ...ref, signal: controller.signal, concurrency: 2 });
      let received = 0;
      const reading = (async () => {
        for await (const slice of got) {
          received += slice.byteLength;
          controller.abort();
        }
      })();
      await expectPrompt(expectCode(reading, "CANCELED"));
      expect(received).toBeLessThan(30 * CHUNK);
      await expect.poll(() => listeners.count()).toBe(0);
    });

    test("by leaving the loop stops the transfer, and the client goes on", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: testBytes(10 * CHUNK), chunker: fixed(CHUNK) });
      for await (const slice of await client.getObject(ref)) {
        expect(slice.byteLength).toBe(CHUNK);
        break;
      }
      const reader = (await client.getObject(ref)).stream().getReader();
      await reader.read();
      await reader.cancel();
      expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(10 * CHUNK));
    });
  });

  describe("a deadline", () => {
    test("ends an upload whose body hangs with DEADLINE_EXCEEDED", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const attempt = async (timeoutMs: number): Promise<ReturnType<typeof scriptedBody>> => {
        const body = scriptedBody([...slices(2, CHUNK), "stall"]);
        const startedAtMs = performance.now();
        const upload = client.putObject({ ...ref, body, timeoutMs, chunker: fixed(CHUNK) });
        await expectPrompt(expectCode(upload, "DEADLINE_EXCEEDED"));
        // Timers may be early by a rounding, and never by more.
        expect(performance.now() - startedAtMs).toBeGreaterThan(timeoutMs - 10);
        return body;
      };
      // A client that still loads its code when the deadline comes has not begun to read the body: it gets more time.
      let body = await attempt(150);
      for (let timeoutMs = 300; body.pulls === 0 && timeoutMs < 5000; timeoutMs *= 2) body = await attempt(timeoutMs);
      expect(body.pulls).toBeGreaterThan(0);
      expect(body.returned).toBe(true);
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });

    test("ends a download whose reader is too slow with DEADLINE_EXCEEDED", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: testBytes(20 * CHUNK), chunker: fixed(CHUNK) });
      const reading = (async () => {
        const got = await client.getObject({ ...ref, timeoutMs: 150, concurrency: 1 });
        for await (const slice of got) {
          expect(slice.byteLength).toBe(CHUNK);
          await pause(40);
        }
      })();
      await expectCode(reading, "DEADLINE_EXCEEDED");
    });

    test("that is not reached changes nothing, and leaves no listener", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { signal } = new AbortController();
      const listeners = watchAbortListeners(signal);
      const options = { timeoutMs: 60_000, signal };
      await client.putObject({ ...ref, body: testBytes(2 * CHUNK), ...options });
      expect(await (await client.getObject({ ...ref, ...options })).bytes()).toEqual(testBytes(2 * CHUNK));
      await client.headObject({ ...ref, ...options });
      await client.listObjectsPage({ bucket: ref.bucket, ...options });
      await expect.poll(() => listeners.count()).toBe(0);
    });
  });
}
