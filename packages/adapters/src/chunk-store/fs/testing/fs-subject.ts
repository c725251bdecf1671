import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { MIB } from "@ashlar/sdk/limits";
import type { StreamingChunkStore } from "@ashlar/sdk/ports";
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

/** A subject of the chunk store contract in a folder of its own. */
export async function createFsSubject(
  options: Omit<FsChunkStoreOptions, "path"> = {},
): Promise<ChunkStoreSubject & { readonly root: string; readonly store: StreamingChunkStore }> {
  const root = await makeFolder();
  const open = (): Promise<StreamingChunkStore> => openFsChunkStore({ chunkMaxBytes: 2 * MIB, ...options, path: root });
  let store = await open();
  return {
    root,
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    inspect: () => inspectFolder(root),
    async dispose() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
