/** Others fill a disk to the last byte, while servers and apps run on it, and free it again. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { direct, gateway } from "@ashlar/adapters/node";
import { AshlarError, createClient, fixed, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { mayMount, mountSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

const DISK = 128 * MIB;
const CHUNK = 64 * KIB;
const LARGE = 20 * CHUNK;
const LIMIT_MS = 180_000;
const PATIENCE = { timeout: 60_000 };
const KEY = { CLUSTER_KEY: "the tests' own cluster key, 32 characters" };

let stack: AsyncDisposableStack;
let folder: TempFolder;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await createTempFolder());
});

afterEach(() => stack.disposeAsync());

async function disk(name: string): Promise<SmallDisk> {
  return stack.use(await mountSmallDisk(folder.at(name), DISK));
}

async function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const server = await startServerProcess([...args, "--port", "0"], env);
  stack.defer(() => server.kill());
  return server;
}

function open(seat: typeof gateway | typeof direct, { url, ready }: ServerProcess): ObjectClient {
  const client = createClient(seat({ url, apiKey: String(ready.apiKey) }));
  stack.defer(() => client.close());
  return client;
}

/** Files that are neither chunks nor the store's own: what a write left half done. */
async function halfFiles(path: string): Promise<readonly string[]> {
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile() && /chunks/.test(entry.parentPath));
  return files.map(({ name }) => name).filter((name) => !/^[0-9a-f]{64}$/.test(name));
}

const SIZES = { small: 1000, large: LARGE } as const;
type Size = keyof typeof SIZES;

const bytesOf = (size: Size, seed: number): Uint8Array<ArrayBuffer> => testBytes(SIZES[size], seed);

async function put(client: ObjectClient, size: Size, seed: number): Promise<string> {
  await client.putObject({ bucket: "box", key: `${size}-${seed}`, body: bytesOf(size, seed), chunker: fixed(CHUNK) });
  return `${size}-${seed}`;
}

async function expectReadable(client: ObjectClient, keys: readonly string[]): Promise<void> {
  const listed = (await client.listObjectsPage({ bucket: "box" })).objects.map(({ key }) => key);
  expect(listed).toEqual([...keys].sort());
  for (const key of keys) {
    const [size, seed] = key.split("-") as [Size, string];
    expect(await (await client.getObject({ bucket: "box", key })).bytes(), key).toEqual(bytesOf(size, Number(seed)));
  }
}

async function expectFull(writing: Promise<unknown>): Promise<void> {
  const error = await writing.then(
    () => expect.fail("it was written"),
    (thrown: unknown) => AshlarError.from(thrown),
  );
  // Nobody tries again by itself: the caller knows when there is room.
  expect(error).toMatchObject({ code: "DISK_FULL", retryable: false });
  expect(error.message).toMatch(/free|room/);
}

/** Writes, fills the disk, writes, frees it and writes on: nothing that was acknowledged is lost, and the store goes on by itself. */
async function liveThrough(
  client: ObjectClient,
  full: SmallDisk,
  { refuses }: { refuses: readonly Size[] },
): Promise<void> {
  await client.createBucket({ bucket: "box" });
  const keys = [await put(client, "small", 1), await put(client, "large", 2), await put(client, "large", 3)];
  const over = { bucket: "box", key: "large-2", chunker: fixed(CHUNK) };
  await full.fill();
  for (let round = 0; round < 3; round++) {
    for (const size of refuses) await expectFull(put(client, size, 10 + round));
    // What was there is not replaced by half of another.
    for (const size of refuses) await expectFull(client.putObject({ ...over, body: bytesOf(size, 20 + round) }));
    await expectReadable(client, keys);
  }
  expect(await halfFiles(full.path)).toEqual([]);
  await full.free();
  const again = async (): Promise<readonly string[]> => [
    await put(client, "small", 30),
    await put(client, "large", 31),
  ];
  await expect.poll(() => again().catch((error: unknown) => AshlarError.from(error).code), PATIENCE).toHaveLength(2);
  await expectReadable(client, [...keys, "small-30", "large-31"]);
  expect(await halfFiles(full.path)).toEqual([]);
}

// Only root mounts a disk; elsewhere these tests are skipped.
describe.skipIf(!mayMount())("a disk that others fill to the last byte", { timeout: LIMIT_MS }, () => {
  test("below an embedded store", async () => {
    const full = await disk("embedded");
    const path = join(full.path, "store");
    const client = createClient(embedded({ path }));
    stack.defer(() => client.close());
    await liveThrough(client, full, { refuses: ["small", "large"] });
    await client.close();
    await using reopened = createClient(embedded({ path }));
    await expectReadable(reopened, ["small-1", "large-2", "large-3", "small-30", "large-31"]);
  });

  test("below `ashlar serve`", async () => {
    const full = await disk("serve");
    const server = await start(["serve", "--path", join(full.path, "store")]);
    await liveThrough(open(gateway, server), full, { refuses: ["small", "large"] });
  });

  test.each([
    ["gateway", gateway],
    ["direct", direct],
  ] as const)("below every node of a cluster, %s seat", async (_, seat) => {
    const full = await disk("nodes");
    const server = await start(["gateway", "--path", folder.at("metadata")], KEY);
    const args = ["--gateway", server.url, "--heartbeat-interval", "500"];
    for (const name of ["n1", "n2", "n3"])
      await start(["node", "--server-id", name, "--data-dir", join(full.path, name), ...args], KEY);
    await liveThrough(open(seat, server), full, { refuses: ["large"] });
  });

  test.each([
    ["gateway", gateway],
    ["direct", direct],
  ] as const)("below the SQLite database of a gateway, %s seat", async (_, seat) => {
    const full = await disk("metadata");
    const server = await start(["gateway", "--path", join(full.path, "store")], KEY);
    const args = ["--gateway", server.url, "--heartbeat-interval", "500"];
    for (const name of ["n1", "n2", "n3"])
      await start(["node", "--server-id", name, "--data-dir", folder.at(name), ...args], KEY);
    await liveThrough(open(seat, server), full, { refuses: ["small", "large"] });
  });
});
