import { spawn } from "node:child_process";
import { closeSync, openSync, statSync } from "node:fs";
import { AshlarError, isErrorCode } from "@ashlar/sdk/errors";
import { systemClock } from "@ashlar/sdk/ports";
import { SETTINGS, type Setting } from "../config.ts";
import { announcement } from "./announcement.ts";
import { type ClusterFolder, makeClusterFolder } from "./cluster-folder.ts";
import { lockCluster } from "./cluster-lock.ts";
import { UP_SETTINGS, type UpCall } from "./cluster-settings.ts";
import { type ClusterStatus, changeLine } from "./cluster-status.ts";
import { askSupervisor } from "./control-channel.ts";
import { lastWords } from "./last-words.ts";
import { launchCli } from "./process-specs.ts";

const POLL_MS = 200;
const READY_LIMIT_MS = 120_000;

/**
 * `cluster up --detach`: starts the supervisor in the background and waits until the cluster is ready.
 *
 * @throws {AshlarError} what made the supervisor end; DEADLINE_EXCEEDED if not everything is ready in two minutes: it goes on in the background.
 */
export async function runDetached(call: UpCall, folder: ClusterFolder): Promise<number> {
  const { output, program, signal } = call;
  await makeClusterFolder(folder);
  lockCluster(folder).release();
  const log = folder.log("supervisor");
  const file = openSync(log, "a", 0o600);
  const logFrom = statSync(log).size;
  const { databaseUrl } = call.settings;
  const launch = launchCli(
    ["cluster", "up", ...flagsOf(call), "--path", folder.path],
    databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl },
  );
  const child = spawn(launch.file, launch.args, { env: launch.env, detached: true, stdio: ["ignore", file, file] });
  closeSync(file);
  child.unref();
  const untilMs = systemClock.monotonicMs() + READY_LIMIT_MS;
  for (;;) {
    await systemClock.sleep(POLL_MS, { signal });
    if (child.exitCode !== null || child.signalCode !== null) {
      throw endOf(log, logFrom);
    }
    const status = await askSupervisor<ClusterStatus>(folder, { command: "status" }, signal).catch(() => undefined);
    if (status?.ready) {
      await output.result({ event: "ready", ...status }, announcement(folder, status.url, program));
      output.note(`it runs in the background; stop it with ${program} cluster down`);
      return 0;
    }
    if (systemClock.monotonicMs() < untilMs) continue;
    const away = status?.processes.filter(({ state }) => state !== "ready").map(changeLine) ?? [`see ${log}`];
    throw new AshlarError("DEADLINE_EXCEEDED", `not ready after two minutes, still trying: ${away.join("; ")}`);
  }
}

/** What the supervisor ended with: its own error, where it told one. */
function endOf(log: string, from: number): AshlarError {
  const words = lastWords(log, from) ?? `see ${log}`;
  const [, message, code] = words.match(/^ashlar: (.*) \(([A-Z_]+)\)$/) ?? [];
  return message !== undefined && isErrorCode(code)
    ? new AshlarError(code, message)
    : new AshlarError("NODE_UNAVAILABLE", `the cluster did not start: ${words}`);
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
