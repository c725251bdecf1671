import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { AshlarError, isErrorCode } from "@ashlar/sdk/errors";
import { systemClock } from "@ashlar/sdk/ports";
import { SETTINGS, type Setting } from "../config.ts";
import { announcement } from "./announcement.ts";
import { assertTakesCluster, undoFirstUp } from "./cluster-contents.ts";
import { type ClusterFolder, type FolderBefore, holdsCluster, makeClusterFolder } from "./cluster-folder.ts";
import { lockCluster } from "./cluster-lock.ts";
import { UP_SETTINGS, type UpCall } from "./cluster-settings.ts";
import { type ClusterStatus, changeLine } from "./cluster-status.ts";
import { askSupervisor } from "./control-channel.ts";
import { lastWordsOf } from "./last-words.ts";
import { pathFlag } from "./path-flag.ts";
import { launchCli } from "./process-specs.ts";

const POLL_MS = 200;
const READY_LIMIT_MS = 120_000;

/**
 * `cluster up --detach`: starts the supervisor in the background and waits until the cluster is ready.
 *
 * @throws {AshlarError} what made the supervisor end; DEADLINE_EXCEEDED if not everything is ready in two minutes: it goes on in the background.
 */
export async function runDetached(call: UpCall, folder: ClusterFolder): Promise<number> {
  assertTakesCluster(folder);
  const before = await makeClusterFolder(folder);
  lockCluster(folder, call.program).release();
  // Read through this handle: a first start that fails takes the file away again.
  const log = openSync(folder.log("supervisor"), "a+", 0o600);
  try {
    const logFrom = fstatSync(log).size;
    const child = spawnSupervisor(call, folder, log);
    const status = await waitUntilReady(call, folder, child);
    if (status === undefined) {
      const error = endOf(log, logFrom);
      await undoUnlessTaken(folder, before, error);
      throw error;
    }
    const { output, program } = call;
    await output.result({ event: "ready", ...status }, announcement(folder, status, program));
    output.note(`it runs in the background; stop it with ${program} cluster down${pathFlag(folder.path)}`);
    return 0;
  } finally {
    closeSync(log);
  }
}

function spawnSupervisor(call: UpCall, folder: ClusterFolder, log: number): ChildProcess {
  const { databaseUrl } = call.settings;
  const launch = launchCli(
    // Its last line is its error, with code and details.
    ["cluster", "up", ...flagsOf(call), "--path", folder.path, "--json"],
    databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl },
  );
  const child = spawn(launch.file, launch.args, { env: launch.env, detached: true, stdio: ["ignore", log, log] });
  child.unref();
  return child;
}

/** @returns `undefined` if the supervisor ended. */
async function waitUntilReady(
  { signal }: UpCall,
  folder: ClusterFolder,
  child: ChildProcess,
): Promise<ClusterStatus | undefined> {
  const untilMs = systemClock.monotonicMs() + READY_LIMIT_MS;
  for (;;) {
    await systemClock.sleep(POLL_MS, { signal });
    if (child.exitCode !== null || child.signalCode !== null) return undefined;
    const status = await askSupervisor<ClusterStatus>(folder, { command: "status" }, signal).catch(() => undefined);
    // Another one may have been first.
    if (status?.ready && status.supervisorPid === child.pid) return status;
    if (systemClock.monotonicMs() < untilMs) continue;
    const away = status?.processes.filter(({ state }) => state !== "ready").map(changeLine);
    const why = away?.join("; ") ?? `see ${folder.log("supervisor")}`;
    throw new AshlarError("DEADLINE_EXCEEDED", `not ready after two minutes, still trying: ${why}`);
  }
}

const ERROR_MAX_BYTES = 65_536;

/** What the supervisor ended with: its own error, where it told one. */
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
    // Cut off.
    return undefined;
  }
}

/** The supervisor took back what it had made; the folder and the log were made here. One that another supervisor works in is left alone. */
async function undoUnlessTaken(folder: ClusterFolder, before: FolderBefore, error: AshlarError): Promise<void> {
  if (holdsCluster(folder) || error.code === "PRECONDITION_FAILED") return;
  using lock = lockCluster(folder);
  await undoFirstUp(folder, lock, before);
}

/** The flags that were given, again; not those which are about this process alone, and no secret. */
function flagsOf({ settings, given }: UpCall): readonly string[] {
  return UP_SETTINGS.flatMap((name) => {
    const setting: Setting = SETTINGS[name];
    const flag = setting.flag?.match(/--[a-z-]+/)?.[0];
    const value = settings[name];
    if (flag === undefined || setting.secret || !given.has(name)) return [];
    if (["clusterPath", "detach", "json"].includes(name) || value === undefined) return [];
    return typeof value === "boolean" ? [flag] : [flag, String(value)];
  });
}
