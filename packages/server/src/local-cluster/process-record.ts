import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import process from "node:process";
import { type Clock, systemClock } from "@ashlar/sdk/ports";
import { type FileLock, tryLockFile } from "../files/file-lock.ts";
import { readJsonFile, writePrivateFile } from "../files/private-file.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import { clusterError } from "./cluster-problem.ts";

/** A process as it is written down. */
export interface RecordedProcess {
  readonly name: string;
  readonly pid: number;
  /** See `identityOf`; absent where the system does not tell. */
  readonly identity: string | undefined;
  readonly stopSignal: NodeJS.Signals;
}

/** The processes that run in a folder, written whenever they change. */
export interface RecordedProcesses {
  readonly supervisorPid: number;
  readonly processes: readonly RecordedProcess[];
}

/** @returns `undefined` if nothing is written down. */
export function readProcesses(folder: ClusterFolder): RecordedProcesses | undefined {
  const value = readJsonFile(folder.processes);
  return value as RecordedProcesses | undefined;
}

/** Writes down the processes that run, before anything else happens. */
export function writeProcesses(folder: ClusterFolder, processes: readonly RecordedProcess[]): void {
  writePrivateFile(folder.processes, `${JSON.stringify({ supervisorPid: process.pid, processes }, undefined, 2)}\n`);
}

/** Removes the record: everything was stopped. */
export function removeProcesses(folder: ClusterFolder): void {
  rmSync(folder.processes, { force: true });
}

/** Recorded processes that still run, and no others that got the same id later. Children of a running supervisor are among them. */
export function survivorsIn(folder: ClusterFolder): readonly RecordedProcess[] {
  return (readProcesses(folder)?.processes ?? []).filter(lives);
}

/** Whether a recorded process still runs. */
export function lives({ pid, identity }: RecordedProcess): boolean {
  return identity !== undefined && identityOf(pid) === identity;
}

/**
 * Locks the folder for this process, or fails at once.
 *
 * @throws {AshlarError} PRECONDITION_FAILED naming the process that has it.
 */
export function lockCluster(folder: ClusterFolder): FileLock {
  const lock = tryLockFile(folder.lock);
  if (lock !== undefined) return lock;
  const pid = readProcesses(folder)?.supervisorPid;
  const who = pid === undefined ? "" : ` (process ${pid})`;
  const message = `a cluster runs in ${folder.path} already${who}`;
  throw clusterError("RUNS_ALREADY", message, { code: "PRECONDITION_FAILED" });
}

const POLL_MS = 50;

/**
 * Stops what a killed supervisor left running: recorded processes only, and no others that got the same id later.
 *
 * @param options.graceMs after this long they are killed.
 * @returns names of those that were still there.
 */
export async function stopSurvivors(
  folder: ClusterFolder,
  options: { readonly graceMs: number; readonly clock?: Clock | undefined },
): Promise<readonly string[]> {
  const { graceMs, clock = systemClock } = options;
  const found = survivorsIn(folder);
  // Processes that write to the database are stopped first.
  const rounds = [
    found.filter(({ stopSignal }) => stopSignal === "SIGTERM"),
    found.filter(({ stopSignal }) => stopSignal !== "SIGTERM"),
  ];
  for (const round of rounds) {
    for (const survivor of round) signalTo(survivor.pid, survivor.stopSignal);
    const untilMs = clock.monotonicMs() + graceMs;
    while (round.some(lives) && clock.monotonicMs() < untilMs) await clock.sleep(POLL_MS);
    for (const survivor of round.filter(lives)) signalTo(survivor.pid, "SIGKILL");
    while (round.some(lives)) await clock.sleep(POLL_MS);
  }
  removeProcesses(folder);
  return found.map(({ name }) => name);
}

/** Sends a signal to a process that may be gone. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Gone in the meantime.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** In `/proc/<pid>/stat`, after the name in parentheses: the state, and when it started in ticks since the boot. */
const STATE_FIELD = 0;
const START_FIELD = 19;

/**
 * Tells one process from another that got the same id later: by the time of its start, as the system writes it.
 *
 * @returns `undefined` if no such process lives, or the system does not tell: then it must not be killed.
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
  // Dead, but its exit code was not read yet.
  if (fields[STATE_FIELD] === "Z") return undefined;
  return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[START_FIELD]}`;
}

function fromPs(pid: number): string | undefined {
  const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  return started === "" ? undefined : started;
}
