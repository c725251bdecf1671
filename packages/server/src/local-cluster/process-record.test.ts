import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ClusterFolder, clusterFolder } from "./cluster-folder.ts";
import { identityOf, lockCluster, readProcesses, stopSurvivors, writeProcesses } from "./process-record.ts";

let path: string;
let folder: ClusterFolder;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "ashlar-test-"));
  folder = clusterFolder(path);
});
afterEach(() => rmSync(path, { recursive: true }));

test("a survivor is stopped, and killed if it ignores that; another process with a remembered id is not", async () => {
  const stubborn = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')";
  const script = "setInterval(() => {}, 1000); console.log('up')";
  const children = [script, stubborn, script].map((code) => spawn(process.execPath, ["-e", code]));
  await Promise.all(children.map((child) => once(child.stdout, "data")));
  const recorded = children.map((child, index) => ({
    name: `p${index}`,
    pid: child.pid ?? 0,
    identity: index === 2 ? "another start" : identityOf(child.pid ?? 0),
    stopSignal: "SIGTERM" as const,
  }));
  writeProcesses(folder, recorded);
  expect(readProcesses(folder)).toEqual({ supervisorPid: process.pid, processes: recorded });
  const ends = children.slice(0, 2).map((child) => once(child, "exit"));
  expect(await stopSurvivors(folder, { graceMs: 300 })).toEqual(["p0", "p1"]);
  expect((await Promise.all(ends)).map(([, signal]) => signal)).toEqual(["SIGTERM", "SIGKILL"]);
  expect(children[2]?.exitCode).toBeNull();
  expect(readProcesses(folder)).toBeUndefined();
  children[2]?.kill("SIGKILL");
});

test("a process is identified by its start; a dead one has no identity", async () => {
  expect(identityOf(process.pid)).toBe(identityOf(process.pid));
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const pid = child.pid ?? 0;
  expect(identityOf(pid)).not.toBe(identityOf(process.pid));
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(identityOf(pid)).toBeUndefined();
});

test("a folder is locked until its lock is released", () => {
  const lock = lockCluster(folder);
  expect(() => lockCluster(folder)).toThrow(expect.objectContaining({ code: "PRECONDITION_FAILED" }));
  lock.release();
  lockCluster(folder).release();
});
