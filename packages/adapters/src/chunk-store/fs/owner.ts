import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { threadId } from "node:worker_threads";
import { encodeHex } from "@ashlar/sdk/hash";
import type { Random } from "@ashlar/sdk/ports";

/** Matches {@link Owner.token}, which has a fixed length. */
export const OWNER_TOKEN_PATTERN = "[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}";

const REGISTRY: unique symbol = Symbol.for("ashlar.chunk-store-fs.owners") as never;
const shared = globalThis as typeof globalThis & { [REGISTRY]?: Set<string> };

/** Tokens of the stores that are open in this thread, whichever copy of this package opened them. One folder opened twice has two. */
shared[REGISTRY] ??= new Set();
const liveTokens: Set<string> = shared[REGISTRY];

/**
 * Who made a temporary file: `<scope>-<pid>-<thread><session>` in hex.
 *
 * The scope names the system and the process-id space (two containers may both have a process 1); only within one scope does a process id
 * tell whether the owner lives.
 */
export interface Owner {
  readonly token: string;
  /** `unknown` for owners in another scope, and where the process id may have been given out again. */
  stateOf(token: string): "alive" | "dead" | "unknown";
  /** Ends this owner: from now on its leftovers may be swept. */
  release(): void;
}

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
    // EPERM: it lives, and belongs to someone else.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

/** Registers an owner for one open store. */
export async function createOwner(random: Random): Promise<Owner> {
  const scopeText = `${await readBootId()} ${await readProcessSpace()} ${hostname()}`;
  const scope = createHash("sha256").update(scopeText).digest("hex").slice(0, 8);
  const pid = process.pid.toString(16).padStart(8, "0");
  const thread = threadId.toString(16).padStart(4, "0").slice(-4);
  const token = `${scope}-${pid}-${thread}${encodeHex(random.bytes(4))}`;
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
