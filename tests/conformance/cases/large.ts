import { MIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { digestOf, testStream } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const SIZE = 100 * MIB;

/** The main job: a file of 100 MB there and back, with the default chunks. */
export function largeCases(use: UseContext): void {
  describe("100 MiB", () => {
    test("of unknown length come back with the same digest", { timeout: 120_000 }, async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "large" };
      const put = await client.putObject({ ...ref, body: testStream(SIZE, { seed: 5 }), durability: "os" });
      expect(put).toMatchObject({ sizeBytes: SIZE, chunkCount: 25 });
      const got = await digestOf(await client.getObject(ref));
      expect(got).toEqual({ sizeBytes: SIZE, sha256: put.sha256 });
      await client.deleteObject(ref);
    });
  });
}
