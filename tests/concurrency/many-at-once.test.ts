import { embedded } from "@ashlar/adapters/embedded";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTempFolder } from "../support/temp-folder.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster } from "../support/test-cluster.ts";

const CHUNK = 64 * KIB;
const SIZE = 3 * CHUNK + 1;
const WRITERS = 50;

interface Running {
  readonly client: ObjectClient;
  /** Chunks on each store. */
  chunkCounts(): Promise<readonly number[]>;
  close(): Promise<void>;
}

const SUBJECTS: Readonly<Record<string, () => Promise<Running>>> = {
  async embedded() {
    const folder = await createTempFolder();
    const client = createClient(embedded({ path: folder.path, durability: "os" }));
    return {
      client,
      async chunkCounts() {
        const { openFsChunkStore } = await import("@ashlar/adapters/chunk-store/fs");
        const store = await openFsChunkStore({ path: folder.path });
        const { chunkCount } = await store.stats();
        await store.close();
        return [chunkCount];
      },
      async close() {
        await client.close();
        await folder[Symbol.asyncDispose]();
      },
    };
  },
  gateway: () => startRemote(gateway, "postgres"),
  direct: () => startRemote(direct, "sqlite"),
};

async function startRemote(seat: typeof gateway, metadata: "postgres" | "sqlite"): Promise<Running> {
  const cluster = await startTestCluster({ metadata });
  const { url, apiKey } = cluster;
  const client = createClient(seat({ url, apiKey, durability: "os" }));
  return {
    client,
    chunkCounts: () => Promise.all(cluster.nodes.map(async (node) => (await node.store.stats()).chunkCount)),
    async close() {
      await client.close();
      await cluster.close();
    },
  };
}

describe.each(Object.entries(SUBJECTS))("many at once (%s seat)", { timeout: 240_000 }, (_, start) => {
  let running: Running;
  let client: ObjectClient;
  let buckets = 0;
  let bucket: string;
  beforeAll(async () => {
    running = await start();
    client = running.client;
  });
  afterAll(() => running.close());

  const newBucket = async (): Promise<void> => {
    bucket = `many-${++buckets}`;
    await client.createBucket({ bucket });
  };
  const put = (key: string, seed: number): Promise<unknown> =>
    client.putObject({ bucket, key, body: testBytes(SIZE, seed), chunker: fixed(CHUNK) });
  /** Which seed's bytes an object has; fails on anything mixed. */
  const seedOf = async (key: string, seeds: number): Promise<number> => {
    const got = await client.getObject({ bucket, key });
    const sha256 = sha256Hex(await got.bytes());
    expect(got.sha256).toBe(sha256);
    const seed = Array.from({ length: seeds }, (_, index) => index + 1).find(
      (each) => sha256Hex(testBytes(SIZE, each)) === sha256,
    );
    if (seed === undefined) throw new Error("the object has the bytes of no single writer");
    return seed;
  };

  test("50 writers of the same key: the object is one of them, whole", async () => {
    await newBucket();
    await Promise.all(Array.from({ length: WRITERS }, (_, index) => put("key", index + 1)));
    expect(await seedOf("key", WRITERS)).toBeGreaterThan(0);
    const { objects } = await client.listObjectsPage({ bucket });
    expect(objects).toHaveLength(1);
  });

  test("50 writers of the same bytes: every object is readable, and each store holds the chunks once", async () => {
    await newBucket();
    const before = await running.chunkCounts();
    await Promise.all(Array.from({ length: WRITERS }, (_, index) => put(`key-${index}`, 1000)));
    // On a busy machine a node may have missed a chunk; writing the same again restores it.
    const added = async (): Promise<readonly number[]> => {
      await put("key-0", 1000);
      return (await running.chunkCounts()).map((count, index) => count - before[index]!);
    };
    await expect.poll(added).toEqual(before.map(() => 4));
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, index) => {
        const got = await client.getObject({ bucket, key: `key-${index}` });
        expect(sha256Hex(await got.bytes())).toBe(sha256Hex(testBytes(SIZE, 1000)));
      }),
    );
  });

  test("reads during overwrites: each gives one object version, whole", async () => {
    await newBucket();
    await put("key", 1);
    let writing = true;
    let reads = 0;
    const writers = (async () => {
      for (let seed = 2; seed <= 20; seed++) {
        // Lets the readers read first, however fast the writer is.
        if (seed === 11) await expect.poll(() => reads, { timeout: 20_000 }).toBeGreaterThan(8);
        await put("key", seed);
      }
      writing = false;
    })();
    const seen = new Set<number>();
    const readers = Array.from({ length: 8 }, async () => {
      let last = 0;
      while (writing) {
        const seed = await seedOf("key", 20);
        // Object versions never go back for one reader.
        expect(seed).toBeGreaterThanOrEqual(last);
        last = seed;
        seen.add(seed);
        reads++;
      }
    });
    await Promise.all([writers, ...readers]);
    expect(await seedOf("key", 20)).toBe(20);
  });

  test("deletes during reads: a read that has begun ends whole, a later one finds nothing", async () => {
    await newBucket();
    await Promise.all(Array.from({ length: 10 }, (_, index) => put(`key-${index}`, index + 1)));
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const key = `key-${index}`;
        const got = await client.getObject({ bucket, key, concurrency: 1 });
        const deleting = client.deleteObject({ bucket, key });
        expect(sha256Hex(await got.bytes())).toBe(sha256Hex(testBytes(SIZE, index + 1)));
        expect(await deleting).toBe(true);
        await expect(client.getObject({ bucket, key })).rejects.toMatchObject({ code: "OBJECT_NOT_FOUND" });
      }),
    );
  });

  test("50 deletes of the same object: exactly one deletes it", async () => {
    await newBucket();
    await put("key", 1);
    const outcomes = await Promise.all(
      Array.from({ length: WRITERS }, () => client.deleteObject({ bucket, key: "key" })),
    );
    expect(outcomes.filter(Boolean)).toHaveLength(1);
  });

  test("lists during writes: sorted, without repetition, with everything that was written before", async () => {
    await newBucket();
    const written: string[] = [];
    let writing = true;
    let lists = 0;
    const writer = (async () => {
      // Neither ascending nor descending, so that new keys fall before and behind a listing's cursor.
      for (let index = 0; index < 150; index++) {
        const key = `key-${String((index * 67) % 150).padStart(3, "0")}`;
        // Lets the lister list first, however fast the writer is.
        if (index % 50 === 49) await expect.poll(() => lists, { timeout: 20_000 }).toBeGreaterThanOrEqual(index / 50);
        await client.putObject({ bucket, key, body: key });
        written.push(key);
      }
      writing = false;
    })();
    const lister = (async () => {
      while (writing) {
        const before = [...written];
        const keys: string[] = [];
        for await (const entry of client.listObjects({ bucket, pageSize: 7 }))
          if (entry.type === "object") keys.push(entry.key);
        expect(keys).toEqual([...new Set(keys)].sort());
        const listed = new Set(keys);
        for (const key of before) expect(listed.has(key), `${key} was written before the listing began`).toBe(true);
        lists++;
      }
    })();
    await Promise.all([writer, lister]);
  });

  test("a bucket is made by one of 20, and deleted by one of 20 unless an object got in first", async () => {
    const name = `raced-${buckets}`;
    const codes = async (calls: readonly Promise<unknown>[]): Promise<string[]> =>
      (await Promise.allSettled(calls)).map((each) =>
        each.status === "fulfilled" ? "done" : AshlarError.from(each.reason).code,
      );
    const made = await codes(Array.from({ length: 20 }, () => client.createBucket({ bucket: name })));
    expect(made.filter((code) => code === "done")).toHaveLength(1);
    expect(new Set(made)).toEqual(new Set(["done", "BUCKET_ALREADY_EXISTS"]));
    const write = codes([client.putObject({ bucket: name, key: "a", body: "x" })]);
    const deletes = codes(Array.from({ length: 20 }, () => client.deleteBucket({ bucket: name })));
    const [[wrote], deleted] = await Promise.all([write, deletes]);
    if (wrote === "done") expect(deleted.includes("done")).toBe(false);
    else {
      expect(wrote).toBe("BUCKET_NOT_FOUND");
      expect(deleted.filter((code) => code === "done")).toHaveLength(1);
    }
  });
});
