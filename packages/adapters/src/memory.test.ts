import { AshlarError, createClient, MIB } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { type InMemoryOperation, inMemory } from "./memory.ts";

test("each store is one of its own, and its data stay as long as the seat", async () => {
  const seat = inMemory();
  const first = createClient(seat);
  await first.createBucket({ bucket: "box" });
  await first.putObject({ bucket: "box", key: "small", body: "hello" });
  const put = await first.putObject({ bucket: "box", key: "large", body: new Uint8Array(5 * MIB) });
  expect(put).toMatchObject({ chunkCount: 2, durability: "strict", replicas: 1 });
  await first.close();
  await using second = createClient(seat);
  expect(await second.bucket("box").object("small").text()).toBe("hello");
  expect((await second.bucket("box").object("large").bytes()).byteLength).toBe(5 * MIB);
  await using other = createClient(inMemory());
  expect(await other.listBuckets()).toEqual([]);
});

test("an operation fails with what the fault returns, and only that one", async () => {
  const operations: InMemoryOperation[] = [];
  const seat = inMemory({
    fault(operation) {
      operations.push(operation);
      return operation === "putObject" ? new AshlarError("NODE_UNAVAILABLE", "the store is away") : undefined;
    },
  });
  await using client = createClient(seat);
  await client.createBucket({ bucket: "box" });
  const put = client.putObject({ bucket: "box", key: "a", body: "a" });
  await expect(put).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
  expect(await client.bucket("box").object("a").exists()).toBe(false);
  expect(operations).toEqual(["createBucket", "putObject", "headObject"]);
});

test("a full store answers DISK_FULL and keeps what it has", async () => {
  const seat = inMemory({ capacityBytes: 3 * MIB, inlineMaxBytes: 0 });
  await using client = createClient(seat);
  const box = client.bucket("box");
  await box.create();
  await box.object("first").put(new Uint8Array(2 * MIB).fill(1));
  await expect(box.object("second").put(new Uint8Array(2 * MIB).fill(2))).rejects.toMatchObject({ code: "DISK_FULL" });
  expect((await box.object("first").bytes()).byteLength).toBe(2 * MIB);
  expect(await box.object("second").exists()).toBe(false);
  expect(await client.collect()).toMatchObject({ chunksDeleted: 0 });
});
