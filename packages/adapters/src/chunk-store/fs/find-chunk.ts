import { join } from "node:path";
import { type ChunkPlace, classifyLeafEntry } from "./chunk-names.ts";
import { openIfPresent } from "./claims.ts";
import { isAbsent } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";
import type { OpenedFile } from "./look-at.ts";

/**
 * Opens a chunk for reading, also while another process has set it aside to decide whether to delete it (see delete-chunk.ts): a chunk that
 * was freshly claimed must not seem absent for those microseconds.
 */
export async function findChunk(parts: FsParts, place: ChunkPlace): Promise<OpenedFile | undefined> {
  const opened = await openIfPresent(parts, place, "read");
  if (opened !== undefined) return opened;
  for (const name of await readLeaf(parts, place.leaf)) {
    const entry = classifyLeafEntry(name);
    if (entry.kind !== "deleting" || entry.id !== place.id) continue;
    const aside = { chunkId: place.chunkId, path: join(place.leaf, name) };
    return (await openIfPresent(parts, aside, "read")) ?? (await openIfPresent(parts, place, "read"));
  }
  return undefined;
}

async function readLeaf(parts: FsParts, leaf: string): Promise<readonly string[]> {
  try {
    return await parts.fileSystem.readdir(leaf);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
