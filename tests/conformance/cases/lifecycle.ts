import { fixed, KIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { scriptedBody, slices } from "../../support/bodies.ts";
import { expectCode } from "../../support/expect-code.ts";
import { testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;

/** Opening and closing clients. */
export function lifecycleCases(use: UseContext): void {
  describe("a client", () => {
    test("that was closed refuses every call with STORE_CLOSED", async () => {
      const { subject, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const client = subject.openClient();
      await client.putObject({ ...ref, body: "x" });
      await client.close();
      await client.close();
      await expectCode(client.putObject({ ...ref, body: "x" }), "STORE_CLOSED");
      await expectCode(client.getObject(ref), "STORE_CLOSED");
      await expectCode(client.headObject(ref), "STORE_CLOSED");
      await expectCode(client.listBuckets(), "STORE_CLOSED");
      await expectCode(client.createUpload(ref), "STORE_CLOSED");
    });

    test("that never made a call closes", async () => {
      const client = use().subject.openClient();
      await client.close();
      await expectCode(client.listBuckets(), "STORE_CLOSED");
    });

    test("ends transfers that run with STORE_CLOSED when it closes", async () => {
      const { subject, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const client = subject.openClient();
      await client.putObject({ ...ref, body: testBytes(20 * CHUNK), chunker: fixed(CHUNK) });
      const body = scriptedBody([...slices(2, CHUNK), "stall"]);
      const upload = client.putObject({ ...ref, key: "b", body, chunker: fixed(CHUNK) });
      const got = await client.getObject({ ...ref, concurrency: 1 });
      const iterator = got[Symbol.asyncIterator]();
      await iterator.next();
      await expect.poll(() => body.pulls).toBe(3);
      const ended = expectCode(upload, "STORE_CLOSED");
      await client.close();
      await ended;
      await expectCode(Promise.resolve(iterator.next()), "STORE_CLOSED");
      expect(body.returned).toBe(true);
      await expectCode(use().client.headObject({ ...ref, key: "b" }), "OBJECT_NOT_FOUND");
    });

    test("is closed by `await using`", async () => {
      const { subject } = use();
      let kept: ReturnType<typeof subject.openClient>;
      {
        await using client = subject.openClient();
        kept = client;
        await client.listBuckets();
      }
      await expectCode(kept.listBuckets(), "STORE_CLOSED");
    });

    test("sees what another client of the same store wrote", async () => {
      const { client, subject, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await using other = subject.openClient();
      const { etag } = await other.putObject({ ...ref, body: testBytes(2 * CHUNK) });
      expect((await client.headObject(ref)).etag).toBe(etag);
      expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(2 * CHUNK));
    });
  });
}
