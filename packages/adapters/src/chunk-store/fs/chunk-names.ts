import { join } from "node:path";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { OWNER_TOKEN_PATTERN } from "./owner.ts";

const CHUNK_NAME = /^[0-9a-f]{64}$/;
const TEMP_NAME = new RegExp(`^tmp-(?<owner>${OWNER_TOKEN_PATTERN})-[0-9a-f]{8}$`);
const DELETING_NAME = new RegExp(`^(?<id>[0-9a-f]{64})\\.deleting-(?<owner>${OWNER_TOKEN_PATTERN})-[0-9a-f]{8}$`);

/** Where one chunk lies. */
export interface ChunkPlace {
  readonly chunkId: Digest;
  /** Hex of the chunk id, which is the file's name. */
  readonly id: string;
  /** The folder above, `chunks/ab/cd`. */
  readonly leaf: string;
  readonly path: string;
}

/** What an entry of a leaf folder is. */
export type LeafEntry =
  | { readonly kind: "chunk"; readonly id: string }
  | { readonly kind: "temp"; readonly owner: string }
  | { readonly kind: "deleting"; readonly id: string; readonly owner: string }
  | { readonly kind: "foreign" };

/** File names below one store folder. Names of temporary files have a fixed length and say who owns them. */
export class ChunkNames {
  readonly chunksFolder: string;
  readonly quarantineFolder: string;
  /**
   * Where files are written before they get their names: on the same file system, and one folder for all, so that a write whose bytes turn out to be
   * wrong does the same work whatever its digest, and leaves no folder. Its name is no two hex digits, so that earlier releases pass it over.
   */
  readonly tempFolder: string;
  readonly #ownerToken: string;
  #sequence = 0;

  constructor(root: string, ownerToken: string) {
    this.chunksFolder = join(root, "chunks");
    this.tempFolder = join(this.chunksFolder, "tmp");
    this.quarantineFolder = join(root, "quarantine");
    this.#ownerToken = ownerToken;
  }

  place(chunkId: Digest): ChunkPlace {
    const id = encodeHex(chunkId);
    const leaf = this.leafFolder(id.slice(0, 2), id.slice(2, 4));
    return { chunkId, id, leaf, path: join(leaf, id) };
  }

  leafFolder(first: string, second: string): string {
    return join(this.chunksFolder, first, second);
  }

  tempPath(): string {
    return join(this.tempFolder, `tmp-${this.#suffix()}`);
  }

  deletingPath(place: ChunkPlace): string {
    return `${place.path}.deleting-${this.#suffix()}`;
  }

  /** @param name of what is put aside: a chunk's id, or that of a folder. */
  quarantinePath(name: string): string {
    return join(this.quarantineFolder, `${name}-${this.#suffix()}`);
  }

  #suffix(): string {
    this.#sequence = (this.#sequence + 1) % 2 ** 32;
    return `${this.#ownerToken}-${this.#sequence.toString(16).padStart(8, "0")}`;
  }
}

/** Tells chunks, temporary files and everything else apart by name. */
export function classifyLeafEntry(name: string): LeafEntry {
  if (CHUNK_NAME.test(name)) return { kind: "chunk", id: name };
  const temp = TEMP_NAME.exec(name)?.groups;
  if (temp !== undefined) return { kind: "temp", owner: temp.owner as string };
  const deleting = DELETING_NAME.exec(name)?.groups;
  if (deleting !== undefined) return { kind: "deleting", id: deleting.id as string, owner: deleting.owner as string };
  return { kind: "foreign" };
}
