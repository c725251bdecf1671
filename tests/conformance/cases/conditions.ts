import { fixed, KIB } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import { testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;

/** Conditional reads, writes, deletes and copies. */
export function conditionCases(use: UseContext): void {
  describe.each([
    ["inline", 100],
    ["chunked", CHUNK + 1],
  ])("a condition on an object that is %s", (_, sizeBytes) => {
    const body = (seed: number): Uint8Array => testBytes(sizeBytes, seed);

    test("ifNoneMatch * creates, and refuses to replace", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const put = await client.putObject({ ...ref, body: body(1), ifNoneMatch: "*" });
      await expectCode(client.putObject({ ...ref, body: body(2), ifNoneMatch: "*" }), "PRECONDITION_FAILED");
      expect((await client.headObject(ref)).etag).toBe(put.etag);
      expect(await (await client.getObject(ref)).bytes()).toEqual(body(1));
    });

    test("ifMatch replaces only the object version that it names", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await expectCode(client.putObject({ ...ref, body: body(1), ifMatch: "*" }), "PRECONDITION_FAILED");
      const first = await client.putObject({ ...ref, body: body(1) });
      const second = await client.putObject({ ...ref, body: body(2), ifMatch: first.etag });
      await expectCode(client.putObject({ ...ref, body: body(3), ifMatch: first.etag }), "PRECONDITION_FAILED");
      expect((await client.headObject(ref)).etag).toBe(second.etag);
    });

    test("of a read: ifMatch and ifNoneMatch", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { etag } = await client.putObject({ ...ref, body: body(1) });
      expect((await (await client.getObject({ ...ref, ifMatch: etag })).bytes()).byteLength).toBe(sizeBytes);
      expect((await client.headObject({ ...ref, ifNoneMatch: "other" })).etag).toBe(etag);
      await expectCode(client.getObject({ ...ref, ifMatch: "other" }), "PRECONDITION_FAILED");
      await expectCode(client.headObject({ ...ref, ifMatch: "other" }), "PRECONDITION_FAILED");
      await expectCode(client.getObject({ ...ref, ifNoneMatch: etag }), "NOT_MODIFIED");
      await expectCode(client.headObject({ ...ref, ifNoneMatch: etag }), "NOT_MODIFIED");
    });

    test("of a delete", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { etag } = await client.putObject({ ...ref, body: body(1) });
      await expectCode(client.deleteObject({ ...ref, ifMatch: "other" }), "PRECONDITION_FAILED");
      expect(await client.deleteObject({ ...ref, ifMatch: etag })).toBe(true);
    });
  });

  describe("of 50 writers that create the same key at once", () => {
    test.each([
      ["inline", 100],
      ["chunked", CHUNK + 1],
    ])("exactly one wins (%s)", async (_, sizeBytes) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) =>
          client.putObject({ ...ref, body: testBytes(sizeBytes, index + 1), ifNoneMatch: "*", chunker: fixed(CHUNK) }),
        ),
      );
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === "fulfilled" ? [index] : []));
      expect(winners).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected" && !AshlarError.is(outcome.reason, "PRECONDITION_FAILED"))
          throw outcome.reason;
      }
      expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(sizeBytes, winners[0]! + 1));
    });

    test("each of a chain of ifMatch updates counts once", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "counter" };
      await client.putObject({ ...ref, body: "0" });
      const addOne = async (): Promise<void> => {
        for (;;) {
          const got = await client.getObject(ref);
          const next = String(Number(await got.text()) + 1);
          try {
            await client.putObject({ ...ref, body: next, ifMatch: got.etag });
            return;
          } catch (error) {
            if (!AshlarError.is(error, "PRECONDITION_FAILED")) throw error;
          }
        }
      };
      await Promise.all(
        Array.from({ length: 5 }, async () => {
          await addOne();
          await addOne();
        }),
      );
      expect(await (await client.getObject(ref)).text()).toBe("10");
    });
  });
}
