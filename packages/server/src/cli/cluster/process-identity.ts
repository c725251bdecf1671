import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

/** In `/proc/<pid>/stat`, after the name in parentheses: the state, and when it started in ticks since the boot. */
const STATE_FIELD = 0;
const START_FIELD = 19;

/**
 * Tells one process from another that got the same id later: when it started, in words of the system.
 *
 * @returns `undefined` if no such process lives, or the system does not tell: then nobody may kill it.
 */
export function identityOf(pid: number): string | undefined {
  try {
    return process.platform === "linux" ? fromProc(pid) : process.platform === "win32" ? undefined : fromPs(pid);
  } catch {
    return undefined;
  }
}

function fromProc(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Dead, and nobody has asked for its exit code yet.
  if (fields[STATE_FIELD] === "Z") return undefined;
  return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[START_FIELD]}`;
}

function fromPs(pid: number): string | undefined {
  const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  return started === "" ? undefined : started;
}
