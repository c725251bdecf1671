import { LIMITS } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { digestOf, testStream } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

/** More default chunks than are in flight at once. Files of 100 MB go through six node processes in tests/servers. */
const SIZE_BYTES = 6 * LIMITS.CHUNK_DEFAULT_BYTES;

/** The main job: a file of many default chunks there and back. */
export function largeCases(use: UseContext): void {
  describe("a large body", () => {
    test("of unknown length comes back with the same digest", { timeout: 120_000 }, async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "large" };
      const put = await client.putObject({ ...ref, body: testStream(SIZE_BYTES, { seed: 5 }), durability: "os" });
      expect(put).toMatchObject({ sizeBytes: SIZE_BYTES, chunkCount: 6 });
      const got = await digestOf(await client.getObject(ref));
      expect(got).toEqual({ sizeBytes: SIZE_BYTES, sha256: put.sha256 });
      await client.deleteObject(ref);
    });
  });
}
