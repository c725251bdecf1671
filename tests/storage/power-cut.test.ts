import * as nodeFs from "node:fs/promises";
import { copyFile, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { type FileSystem, openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import { KIB } from "@ashlar/sdk";
import { createEngine, singleStoreTopology } from "@ashlar/sdk/engine";
import { type Durability, type ObjectEngine, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";

const BODY_BYTES = 100 * KIB;
const WRITERS = 8;

let base: string;
let root: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "ashlar-power-"));
  root = join(base, "store");
});

afterEach(() => rm(base, { recursive: true, force: true }));

/** The real file system. It also records what a power cut would leave: files whose bytes were synced, in folders whose entries were synced. */
class SyncRecorder {
  readonly #syncedFiles = new Set<number>();
  readonly #syncedEntries = new Map<string, ReadonlyMap<string, number>>();

  readonly fileSystem: FileSystem = {
    ...nodeFs,
    open: (async (path: string, flags?: string | number, mode?: nodeFs.FileHandle | number) => {
      const handle = await nodeFs.open(path, flags, mode as number);
      const { datasync, sync } = handle;
      handle.datasync = async () => {
        await datasync.call(handle);
        this.#syncedFiles.add((await handle.stat()).ino);
      };
      handle.sync = async () => {
        const stats = await handle.stat();
        const entries = stats.isDirectory() ? await entriesOf(path) : undefined;
        await sync.call(handle);
        if (entries === undefined) this.#syncedFiles.add(stats.ino);
        else this.#syncedEntries.set(path, entries);
      };
      return handle;
    }) as FileSystem["open"],
  };

  /** Copies what is on the disk. Copies all of the database: the system may have written it back at any time. */
  async cutPower(to: string): Promise<void> {
    await mkdir(to, { recursive: true });
    for (const name of await readdir(root)) {
      if (name !== "chunks") await copyFile(join(root, name), join(to, name));
    }
    for (const [folder, entries] of this.#syncedEntries) {
      if (!this.#isReachable(folder)) continue;
      for (const [name, ino] of entries) {
        if (!this.#syncedFiles.has(ino)) continue;
        const target = join(to, relative(root, join(folder, name)));
        await mkdir(dirname(target), { recursive: true });
        await copyFile(join(folder, name), target);
      }
    }
  }

  #isReachable(folder: string): boolean {
    if (folder === root) return true;
    const above = dirname(folder);
    return this.#syncedEntries.get(above)?.has(folder.slice(above.length + 1)) === true && this.#isReachable(above);
  }
}

async function entriesOf(folder: string): Promise<ReadonlyMap<string, number>> {
  const entries = new Map<string, number>();
  for (const name of await readdir(folder)) {
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats !== undefined) entries.set(name, stats.ino);
  }
  return entries;
}

async function openStore(path: string, durability: Durability, fileSystem?: FileSystem): Promise<ObjectEngine> {
  const file = { path: join(path, "metadata.sqlite"), storeFolder: path };
  await mkdir(path, { recursive: true });
  const metadata = await openSqliteMetadataStore(file);
  const store = await openFsChunkStore({ path, durability, fileSystem });
  const engine = createEngine({
    ...{ catalog: metadata, topology: singleStoreTopology(store), hasher: nodeCryptoHasher, durability },
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
  });
  return {
    ...engine,
    async close() {
      await engine.close();
      await metadata.close();
    },
  };
}

async function* bodyOf(seed: number): AsyncGenerator<Uint8Array> {
  yield testBytes(BODY_BYTES, seed);
}

for (const durability of ["strict", "batched"] as const) {
  test(`a power cut leaves no object whose chunks are missing, in ${durability}`, { timeout: 60_000 }, async () => {
    const recorder = new SyncRecorder();
    const engine = await openStore(root, durability, recorder.fileSystem);
    await engine.createBucket("box");
    let running = true;
    let written = 0;
    const write = async (writer: number): Promise<void> => {
      for (let round = 0; running; round++) {
        const seed = writer * 1000 + round;
        await engine.putObject({ bucket: "box", key: `k-${seed}`, attributes: {} }, bodyOf(seed));
        written++;
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
    const cuts: string[] = [];
    for (const enough of [10, 25, 40]) {
      await expect.poll(() => written, { timeout: 30_000, interval: 1 }).toBeGreaterThan(enough);
      cuts.push(join(base, `cut-${enough}`));
      await recorder.cutPower(cuts.at(-1) as string);
    }
    running = false;
    await Promise.all(writers);
    await engine.close();
    for (const cut of cuts) {
      const left = await openStore(cut, durability);
      const { objects } = await left.listObjects({ bucket: "box" });
      expect(objects.length).toBeGreaterThan(0);
      for (const { key } of objects) {
        const parts: Uint8Array[] = [];
        for await (const part of (await left.openObject({ bucket: "box", key })).read()) parts.push(part);
        expect(sha256Hex(Buffer.concat(parts)), key).toBe(sha256Hex(testBytes(BODY_BYTES, Number(key.slice(2)))));
      }
      await left.close();
    }
  });
}
