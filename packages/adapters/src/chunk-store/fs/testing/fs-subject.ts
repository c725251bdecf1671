import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { MIB } from "@ashlar/sdk/limits";
import type { ScrubbingChunkStore, StreamingChunkStore } from "@ashlar/sdk/ports";
import type { ChunkStoreInspection, ChunkStoreSubject } from "@ashlar/sdk/testing";
import { type FsChunkStoreOptions, openFsChunkStore } from "../index.ts";

const BLOCK_BYTES = 65_536;
const FOOTER_BYTES = 64;
const CHECKSUM_BYTES = 4;
const PAYLOAD_SIZE_OFFSET = 16;

/** A new folder on the disk that the tests run on. */
export function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "ashlar-fs-"));
}

/**
 * Reads a store folder without the store's code: every file below `chunks/`, its payload by the size in its footer.
 *
 * A file that is not a whole chunk under the right path is a leftover.
 */
export async function inspectFolder(root: string): Promise<ChunkStoreInspection> {
  const chunks = new Map<string, Uint8Array>();
  const leftovers: string[] = [];
  const entries = await readdir(join(root, "chunks"), { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const payload = payloadOf(await readFile(path).catch(() => Buffer.alloc(0)));
    const folder = join(root, "chunks", entry.name.slice(0, 2), entry.name.slice(2, 4));
    if (payload !== undefined && /^[0-9a-f]{64}$/.test(entry.name) && entry.parentPath === folder) {
      chunks.set(entry.name, payload);
    } else {
      leftovers.push(basename(path));
    }
  }
  return { chunks, leftovers };
}

function payloadOf(file: Buffer): Uint8Array | undefined {
  if (file.byteLength < FOOTER_BYTES) return undefined;
  const sizeBytes = Number(file.readBigUInt64LE(file.byteLength - FOOTER_BYTES + PAYLOAD_SIZE_OFFSET));
  const checksumsBytes = Math.ceil(sizeBytes / BLOCK_BYTES) * CHECKSUM_BYTES;
  if (file.byteLength !== sizeBytes + checksumsBytes + FOOTER_BYTES) return undefined;
  return new Uint8Array(file.subarray(0, sizeBytes));
}

/** Where a chunk's file lies. */
export function chunkPath(root: string, chunkId: Digest): string {
  const id = encodeHex(chunkId);
  return join(root, "chunks", id.slice(0, 2), id.slice(2, 4), id);
}

/** Changes one bit of a file, as a disk may. */
export async function flipBitOnDisk(path: string, position: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await handle.write(byte, 0, 1, position);
  await handle.close();
}

type DiskStore = StreamingChunkStore & ScrubbingChunkStore;

/** A subject of the chunk store contract in a folder of its own. */
export async function createFsSubject(
  options: Omit<FsChunkStoreOptions, "path"> = {},
): Promise<ChunkStoreSubject & { readonly root: string; readonly store: DiskStore }> {
  const root = await makeFolder();
  const openStore = (): Promise<DiskStore> => openFsChunkStore({ chunkMaxBytes: 2 * MIB, ...options, path: root });
  let store = await openStore();
  return {
    root,
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await openStore();
      return store;
    },
    inspect: () => inspectFolder(root),
    damage: (chunkId) => flipBitOnDisk(chunkPath(root, chunkId), 77),
    async dispose() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
