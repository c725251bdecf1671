import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { assertTakesCluster, removeCluster, undoFirstUp } from "./cluster-contents.ts";
import { type ClusterFolder, clusterFolder, makeClusterFolder } from "./cluster-folder.ts";
import { writePlan } from "./cluster-plan.ts";
import { lockCluster } from "./process-record.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ashlar-test-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const PLAN = { database: { kind: "external" }, gatewayPort: 1, nodes: [{ name: "node-1", port: 2 }] } as const;

async function cluster(path: string): Promise<ClusterFolder> {
  const folder = clusterFolder(path);
  await makeClusterFolder(folder);
  lockCluster(folder).release();
  writePlan(folder, PLAN);
  mkdirSync(folder.data("node-1"));
  mkdirSync(folder.postgres);
  const files = [folder.log("node-1"), join(folder.data("node-1"), "x"), folder.clusterKey, folder.apiKey];
  for (const file of files) writeFileSync(file, "");
  writeFileSync(`${folder.plan}.99.new`, "half");
  return folder;
}

test("a cluster's folder, an absent one and an empty one take a cluster", async () => {
  expect(() => assertTakesCluster(clusterFolder(root))).not.toThrow();
  expect(() => assertTakesCluster(clusterFolder(join(root, "absent")))).not.toThrow();
  const folder = await cluster(join(root, "cluster"));
  expect(() => assertTakesCluster(folder)).not.toThrow();
});

test.each([
  ["README.md", "text", "INVALID_ARGUMENT"],
  ["metadata.sqlite", "a store", "INVALID_ARGUMENT"],
  ["cluster.key", "key of a server", "INVALID_ARGUMENT"],
  ["cluster.json", '{"name":"of another program"}', "STORE_INCOMPATIBLE"],
])("a folder with %s of something else is refused", (name, text, code) => {
  writeFileSync(join(root, name), text);
  expect(() => assertTakesCluster(clusterFolder(root))).toThrow(expect.objectContaining({ code }));
});

test("a file is refused", () => {
  writeFileSync(join(root, "file"), "");
  const refusal = expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("no folder") });
  expect(() => assertTakesCluster(clusterFolder(join(root, "file")))).toThrow(refusal);
});

test("what an interrupted first start left is taken, unless something else was put in", async () => {
  const folder = clusterFolder(root);
  await makeClusterFolder(folder);
  // Folders of these names alone may belong to anything.
  expect(() => assertTakesCluster(folder)).toThrow();
  lockCluster(folder).release();
  writeFileSync(folder.log("supervisor"), "");
  expect(() => assertTakesCluster(folder)).not.toThrow();
  writeFileSync(join(folder.logs, "apache.log"), "");
  expect(() => assertTakesCluster(folder)).toThrow();
});

test("deletion takes what the cluster made, and says what stays", async () => {
  const folder = await cluster(root);
  writeFileSync(join(root, "thesis.txt"), "years of work");
  writeFileSync(join(folder.logs, "notes.txt"), "mine");
  expect(await removeCluster(folder, lockCluster(folder))).toEqual([join("logs", "notes.txt"), "thesis.txt"]);
  expect(readdirSync(root).sort()).toEqual(["logs", "thesis.txt"]);
  expect(readFileSync(join(root, "thesis.txt"), "utf8")).toBe("years of work");
});

test("deletion takes the folder too where nothing else is in it", async () => {
  const folder = await cluster(join(root, "cluster"));
  expect(await removeCluster(folder, lockCluster(folder))).toEqual([]);
  expect(readdirSync(root)).toEqual([]);
});

test("a first start is undone to what was there before; a cluster that was there is not touched", async () => {
  const absent = clusterFolder(join(root, "a", "b", "cluster"));
  const before = await makeClusterFolder(absent);
  await undoFirstUp(absent, lockCluster(absent), before);
  expect(readdirSync(root)).toEqual([]);

  mkdirSync(join(root, "empty"), { mode: 0o755 });
  const empty = clusterFolder(join(root, "empty"));
  const { mode } = statSync(empty.path);
  const made = await makeClusterFolder(empty);
  await undoFirstUp(empty, lockCluster(empty), made);
  expect([readdirSync(empty.path), statSync(empty.path).mode]).toEqual([[], mode]);

  const there = await cluster(join(root, "cluster"));
  await undoFirstUp(there, lockCluster(there), await makeClusterFolder(there));
  expect(existsSync(there.plan)).toBe(true);
});
