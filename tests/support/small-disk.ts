import { execFile, execFileSync } from "node:child_process";
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const BALLAST = "ballast";
/** What is left for the ballast when the disk is made small: others write meanwhile. */
const SLACK_BYTES = 4 * 1024 * 1024;
const BLOCK_BYTES = 256 * 1024;
const FILL_TRIES = 20;

/** A file system of its own, in memory. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Leaves no byte free: makes the disk small, and writes until it takes no more. */
  fill(): Promise<void>;
  /** Gives back what {@link fill} took. */
  free(): Promise<void>;
}

/** Whether this process may mount a disk: as root, with the right to. */
export function mayMount(): boolean {
  try {
    execFileSync("unshare", ["--mount", "true"], { stdio: "ignore" });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

/** Mounts an empty disk at a path, which is made. It takes memory only for what is written. */
export async function mountSmallDisk(path: string, sizeBytes: number): Promise<SmallDisk> {
  await mkdir(path, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", path]);
  const resize = (bytes: number): Promise<unknown> => run("mount", ["-o", `remount,size=${bytes}`, path]);
  return {
    path,
    async fill() {
      for (let tries = 1; ; tries++) {
        const { blocks, bfree, bsize } = await statfs(path);
        const usedBytes = (blocks - bfree) * bsize;
        if (usedBytes + SLACK_BYTES >= sizeBytes) break;
        try {
          await resize(usedBytes + SLACK_BYTES);
          break;
        } catch (error) {
          // More was written since the look.
          if (tries === FILL_TRIES) throw error;
        }
      }
      await writeUntilFull(join(path, BALLAST));
    },
    async free() {
      await rm(join(path, BALLAST), { force: true });
      await resize(sizeBytes);
    },
    // Also while a process has files open there.
    [Symbol.asyncDispose]: async () => void (await run("umount", ["-l", path])),
  };
}

async function writeUntilFull(path: string): Promise<void> {
  await using file = await open(path, "w");
  for (let sizeBytes = BLOCK_BYTES; sizeBytes >= 1; ) {
    try {
      await file.write(Buffer.alloc(sizeBytes));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      sizeBytes = Math.floor(sizeBytes / 2);
    }
  }
}
