import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { collect, singleStoreTopology } from "@ashlar/sdk/engine";
import { type Logger, silentLogger } from "@ashlar/sdk/ports";
import { testChunks } from "@ashlar/sdk/testing";
import { expect, test } from "vitest";

test("a database that came back empty does not cost the chunks it once named", async () => {
  const metadata = createMemoryMetadataStore({});
  const store = createMemoryChunkStore({});
  for (const { chunkId, bytes } of await testChunks(20, 100)) await store.putChunk(chunkId, bytes);
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (_fields, message) => void errors.push(message) };
  const options = { metadata, topology: singleStoreTopology(store), logger, graceMs: 0, claimTtlMs: 0 };

  expect(await collect(options)).toMatchObject({ orphansDeleted: 0 });
  expect((await store.stats()).chunkCount).toBe(20);
  expect(errors).toHaveLength(1);

  await metadata.createBucket("photos");
  expect(await collect(options)).toMatchObject({ orphansDeleted: 20 });
});
