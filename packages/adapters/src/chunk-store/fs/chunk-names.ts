import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { systemRandom } from "@ashlar/sdk/ports";

/** Matches {@link Owner.token}, which has a fixed length. */
const OWNER_TOKEN_PATTERN = "[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}";
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

/** File names below one store folder. Names of temporary files have a fixed length and say who owns them: see {@link Owner}. */
export class ChunkNames {
  /** Folder of the store. */
  readonly root: string;
  readonly chunksFolder: string;
  readonly quarantineFolder: string;
  /**
   * Files are written here before they get their names. It is on the same file system, and one folder for all chunks: a write with wrong bytes does
   * the same work for any digest, and leaves no folder. Its name is not two hex digits, so earlier releases pass it over.
   */
  readonly tempFolder: string;
  readonly #ownerToken: string;
  #sequence = 0;

  constructor(root: string, ownerToken: string) {
    this.root = root;
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

  /** @param name what is set aside: a chunk's id, or the hex digits of a folder's path. */
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

/**
 * Who made a temporary file: `<scope>-<pid>-<thread><session>` in hex.
 *
 * The scope names the system and the process-id space (two containers may both have a process 1). A process id tells whether the owner is
 * alive only within one scope.
 */
export interface Owner {
  readonly token: string;
  /** `unknown` for owners in another scope, and where another process may have got the same id since. */
  stateOf(token: string): "alive" | "dead" | "unknown";
  /** Ends this owner: from now on its leftovers may be swept. */
  release(): void;
}

/** Registers an owner for one open store. */
export async function createOwner(): Promise<Owner> {
  const scopeText = `${await readBootId()} ${await readProcessSpace()} ${hostname()}`;
  const scope = createHash("sha256").update(scopeText).digest("hex").slice(0, 8);
  const pid = process.pid.toString(16).padStart(8, "0");
  const thread = threadId.toString(16).padStart(4, "0").slice(-4);
  const token = `${scope}-${pid}-${thread}${encodeHex(systemRandom.bytes(4))}`;
  liveTokens.add(token);
  return {
    token,
    stateOf(other) {
      if (liveTokens.has(other)) return "alive";
      const [otherScope, otherPid, otherSession] = other.split("-");
      if (otherScope !== scope) return "unknown";
      // Our own thread under a token that is not open: closed, or left by an earlier process that had the same id.
      if (otherPid === pid) return otherSession?.startsWith(thread) ? "dead" : "unknown";
      return isProcessAlive(Number.parseInt(otherPid ?? "", 16)) ? "unknown" : "dead";
    },
    release: () => void liveTokens.delete(token),
  };
}

const REGISTRY: unique symbol = Symbol.for("ashlar.chunk-store-fs.owners") as never;
const shared = globalThis as typeof globalThis & { [REGISTRY]?: Set<string> };

/** Tokens of the stores that are open in this thread, whichever copy of this package opened them. A folder that is opened twice has two. */
shared[REGISTRY] ??= new Set();
const liveTokens: Set<string> = shared[REGISTRY];

/** The id of this run of the operating system; undefined where it has none. It changes with each reboot. */
export async function readBootId(): Promise<string | undefined> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    return undefined;
  }
}

async function readProcessSpace(): Promise<string> {
  try {
    return await readlink("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process is alive, and belongs to another user.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
