import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { collect, singleStoreTopology } from "@ashlar/sdk/engine";
import { type Logger, silentLogger } from "@ashlar/sdk/ports";
import { testChunks } from "@ashlar/sdk/testing";
import { expect, test } from "vitest";
import { createManualClock } from "../support/manual-clock.ts";

test("a database that came back empty does not cause the loss of the chunks that it named before", async () => {
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

test("a new database in the place of a lost one deletes nothing, also once it has buckets; accepted, it keeps what is older", async () => {
  const clock = createManualClock();
  const store = createMemoryChunkStore({ clock });
  const common = { topology: singleStoreTopology(store), logger: silentLogger, clock, graceMs: 0, claimTtlMs: 0 };
  const lost = createMemoryMetadataStore({ clock });
  await lost.createBucket("photos");
  clock.advance(1000);
  for (const { chunkId, bytes } of await testChunks(20, 100)) await store.putChunk(chunkId, bytes);
  expect(await collect({ ...common, metadata: createMemoryMetadataStore({ clock }), claimTtlMs: 5000 })).toMatchObject({
    storesRefusing: 0,
  });
  clock.advance(1000);

  const metadata = createMemoryMetadataStore({ clock });
  await metadata.createBucket("photos");
  for (let round = 0; round < 3; round++) {
    expect(await collect({ ...common, metadata })).toMatchObject({ storesRefusing: 1, orphansDeleted: 0 });
  }
  await metadata.acceptDatabase({ keepOlder: true });
  clock.advance(1000);
  const [young] = await testChunks(1, 200);
  await store.putChunk(young!.chunkId, young!.bytes);
  expect(await collect({ ...common, metadata })).toMatchObject({ storesRefusing: 0, orphansDeleted: 1 });
  expect((await store.stats()).chunkCount).toBe(20);
});
