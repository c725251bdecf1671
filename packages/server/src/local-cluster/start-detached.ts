import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { AshlarError, isErrorCode } from "@ashlar/sdk/errors";
import { systemClock } from "@ashlar/sdk/ports";
import { assertTakesCluster, undoFirstUp } from "./cluster-contents.ts";
import { type ClusterFolder, type FolderBefore, holdsCluster, makeClusterFolder } from "./cluster-folder.ts";
import { askSupervisor, type ClusterStatus } from "./control-channel.ts";
import { lastWordsOf } from "./last-words.ts";
import { lives, lockCluster, survivorsIn } from "./process-record.ts";
import { changeLine, type Launch } from "./process-spec.ts";

const POLL_MS = 200;
const READY_LIMIT_MS = 120_000;

/**
 * Starts a supervisor in the background and waits until its cluster is ready.
 *
 * @param options.launch a program that calls `runCluster` for this folder. It logs JSON lines; if it fails, the last one is its error, with code and
 *   details: `{"error":{"code":…,"message":…,"details":…}}`.
 * @param options.onLeftovers gets the names of processes that an earlier supervisor had left, and that were stopped now.
 * @throws {AshlarError} what made the supervisor end; DEADLINE_EXCEEDED if not everything is ready in two minutes: it goes on in the background.
 */
export async function startDetached(
  folder: ClusterFolder,
  options: {
    readonly launch: Launch;
    readonly signal: AbortSignal;
    readonly onLeftovers: (names: readonly string[]) => void;
  },
): Promise<ClusterStatus> {
  const { launch, signal, onLeftovers } = options;
  assertTakesCluster(folder);
  const before = await makeClusterFolder(folder);
  lockCluster(folder).release();
  const survivors = survivorsIn(folder);
  // The log is read through this handle, because a first start that fails deletes the file.
  const log = openSync(folder.log("supervisor"), "a+", 0o600);
  try {
    const logFrom = fstatSync(log).size;
    const child = spawn(launch.file, launch.args, { env: launch.env, detached: true, stdio: ["ignore", log, log] });
    child.unref();
    const status = await waitUntilReady(folder, child, signal);
    const stopped = survivors.filter((survivor) => !lives(survivor));
    if (stopped.length > 0) onLeftovers(stopped.map(({ name }) => name));
    if (status !== undefined) return status;
    const error = endOf(log, logFrom);
    await undoUnlessTaken(folder, before, error);
    throw error;
  } finally {
    closeSync(log);
  }
}

/** @returns `undefined` if the supervisor ended. */
async function waitUntilReady(
  folder: ClusterFolder,
  child: ChildProcess,
  signal: AbortSignal,
): Promise<ClusterStatus | undefined> {
  const untilMs = systemClock.monotonicMs() + READY_LIMIT_MS;
  for (;;) {
    await systemClock.sleep(POLL_MS, { signal });
    if (child.exitCode !== null || child.signalCode !== null) return undefined;
    const status = await askSupervisor(folder, { command: "status" }, signal).catch(() => undefined);
    // Another supervisor may have been first.
    if (status?.ready && status.supervisorPid === child.pid) return status;
    if (systemClock.monotonicMs() < untilMs) continue;
    const away = status?.processes.filter(({ state }) => state !== "ready").map(changeLine);
    const why = away?.join("; ") ?? `see ${folder.log("supervisor")}`;
    throw new AshlarError("DEADLINE_EXCEEDED", `not ready after two minutes, still trying: ${why}`);
  }
}

const ERROR_MAX_BYTES = 65_536;

/** The error that the supervisor ended with: its own, if it logged one. */
function endOf(log: number, from: number): AshlarError {
  const bytes = new Uint8Array(ERROR_MAX_BYTES);
  const start = Math.max(from, fstatSync(log).size - ERROR_MAX_BYTES);
  const text = new TextDecoder().decode(bytes.subarray(0, readSync(log, bytes, 0, ERROR_MAX_BYTES, start)));
  for (const line of text.split("\n").reverse()) {
    const error = toldError(line);
    if (error !== undefined) return error;
  }
  return new AshlarError("NODE_UNAVAILABLE", `the cluster did not start: ${lastWordsOf(text) ?? "it told nothing"}`);
}

function toldError(line: string): AshlarError | undefined {
  if (!line.startsWith('{"error":')) return undefined;
  try {
    const { error } = JSON.parse(line) as { readonly error: Pick<AshlarError, "code" | "message" | "details"> };
    const { code, message, details } = error;
    return isErrorCode(code) ? new AshlarError(code, message, { details }) : undefined;
  } catch {
    // The line is cut off.
    return undefined;
  }
}

/** Removes the folder and the log, which were made here; the supervisor removed what it made. If another supervisor has the folder, it stays. */
async function undoUnlessTaken(folder: ClusterFolder, before: FolderBefore, error: AshlarError): Promise<void> {
  if (holdsCluster(folder) || error.code === "PRECONDITION_FAILED") return;
  using lock = lockCluster(folder);
  await undoFirstUp(folder, lock, before);
}
