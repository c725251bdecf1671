import { LIMITS, MIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { digestOf, testStream } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const DEFAULT_BYTES = 100 * MIB;

/** The main job: a file of 100 MB there and back, with the default chunks. */
export function largeCases(use: UseContext): void {
  describe("a large body", () => {
    test("of unknown length comes back with the same digest", { timeout: 120_000 }, async () => {
      const { client, bucket, subject } = use();
      const sizeBytes = subject.largeBytes ?? DEFAULT_BYTES;
      const ref = { bucket: await bucket(), key: "large" };
      const put = await client.putObject({ ...ref, body: testStream(sizeBytes, { seed: 5 }), durability: "os" });
      expect(put).toMatchObject({ sizeBytes, chunkCount: sizeBytes / LIMITS.CHUNK_DEFAULT_BYTES.value });
      const got = await digestOf(await client.getObject(ref));
      expect(got).toEqual({ sizeBytes, sha256: put.sha256 });
      await client.deleteObject(ref);
    });
  });
}
