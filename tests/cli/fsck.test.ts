import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cli } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

let folder: TempFolder;

beforeAll(async () => {
  folder = await createTempFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

async function makeStore(name: string): Promise<string> {
  const path = folder.at(name);
  await cli(["put", "-", "box/big", "--create-bucket", "--path", path], { input: testBytes(300_000, 4) });
  return path;
}

test("a sound store is fine", async () => {
  const path = await makeStore("sound");
  const fsck = await cli(["fsck", "--path", path]);
  expect(fsck.exitCode, fsck.stdout + fsck.stderr).toBe(0);
  expect(fsck.stdout).toMatch(/ok +metadata: 1 bucket/);
});

test("damaged rows and missing chunks are reported with the names of the objects that they hurt", async () => {
  const path = await makeStore("hurt");
  const database = new DatabaseSync(join(path, "metadata.sqlite"));
  database.exec("UPDATE chunks SET reference_count = 5");
  database.close();
  const counted = await cli(["fsck", "--path", path]);
  expect(counted.exitCode, counted.stderr).toBe(7);
  expect(counted.stdout).toMatch(/broken +box\/big: chunk [0-9a-f]{64}: its row counts 5, and it is named 1 times/);
  for (const name of readdirSync(join(path, "chunks"), { recursive: true, encoding: "utf8" })) {
    if (/[0-9a-f]{60}/.test(name)) rmSync(join(path, "chunks", name), { force: true });
  }
  const missing = await cli(["fsck", "--path", path]);
  expect(missing.exitCode, missing.stderr).toBe(7);
  expect(missing.stdout).toMatch(/broken +box\/big: 1 of its chunks is missing/);
  expect(missing.stdout).toContain("the metadata is right");
});

test("a folder where a chunk's file belongs is named, with the object that it hurts, and heals by a put", async () => {
  const path = await makeStore("misplaced");
  const names = readdirSync(join(path, "chunks"), { recursive: true, encoding: "utf8" });
  const chunk = join(path, "chunks", names.find((name) => /[0-9a-f]{60}/.test(name)) ?? "");
  rmSync(chunk);
  mkdirSync(chunk);
  const fsck = await cli(["fsck", "--path", path]);
  expect(fsck.exitCode, fsck.stdout + fsck.stderr).toBe(7);
  expect(fsck.stdout).toMatch(/broken +chunks\/.*: a folder lies where a chunk's file belongs/);
  expect(fsck.stdout).toMatch(/broken +box\/big: 1 of its chunks is missing/);
  const health = await cli(["health", "--path", path]);
  expect(health.exitCode).toBe(5);
  expect(health.stdout).toMatch(/broken +chunks\/.*: a folder lies where a chunk's file belongs/);
  await makeStore("misplaced");
  expect((await cli(["fsck", "--path", path])).exitCode).toBe(0);
});

test("every command reports a lost database, and only the operator's order makes an empty one", {
  timeout: 180_000,
}, async () => {
  const path = await makeStore("lost");
  const kept = folder.at("kept.sqlite");
  renameSync(join(path, "metadata.sqlite"), kept);
  for (const args of [["put", "-", "box/b", "--create-bucket"], ["serve", "--port", "0"], ["health"], ["fsck"]]) {
    const run = await cli([...args, "--path", path], { input: testBytes(10, 1) });
    expect(run.exitCode, args.join(" ")).not.toBe(0);
    expect(run.stdout + run.stderr, args.join(" ")).toContain("--start-empty");
    expect(existsSync(join(path, "metadata.sqlite"))).toBe(false);
  }
  const started = await cli(["fsck", "--start-empty", "--path", path]);
  expect(started.exitCode, started.stdout + started.stderr).toBe(0);
  const collected = await cli(["collect", "--path", path, "--grace", "0", "--claim-ttl", "0"]);
  expect(collected.exitCode, collected.stderr).toBe(0);
  expect((await cli(["fsck", "--path", path])).stdout).toMatch(/ok +1 chunk, /);
  // The lost database turns up again.
  for (const name of ["metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm"])
    rmSync(join(path, name), { force: true });
  renameSync(kept, join(path, "metadata.sqlite"));
  expect((await cli(["ls", "box", "--path", path])).exitCode).toBe(7);
  expect((await cli(["fsck", "--accept-database", "--path", path])).exitCode).toBe(0);
  const got = await cli(["get", "box/big", folder.at("copy.bin"), "--path", path]);
  expect(got.exitCode, got.stderr).toBe(0);
  expect(readFileSync(folder.at("copy.bin"))).toEqual(Buffer.from(testBytes(300_000, 4)));
});

test("empty small files are reported, and rebuilt from what is there", async () => {
  const path = await makeStore("emptied");
  for (const name of ["format.json", "database.json"]) {
    const file = join(path, name);
    const before = JSON.parse(readFileSync(file, "utf8")) as unknown;
    writeFileSync(file, "");
    const refused = await cli(["ls", "box", "--path", path]);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain("fsck --rebuild");
    const rebuilt = await cli(["fsck", "--rebuild", "--path", path]);
    expect(rebuilt.exitCode, rebuilt.stdout + rebuilt.stderr).toBe(0);
    expect(rebuilt.stdout).toContain(name);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject(before as object);
    expect(existsSync(`${file}.damaged`)).toBe(true);
    expect((await cli(["ls", "box", "--path", path])).exitCode).toBe(0);
  }
});

test("an empty server.json is reported, and rebuilt for the node that is named", async () => {
  const path = await makeStore("node");
  writeFileSync(join(path, "server.json"), "");
  const env = { CLUSTER_KEY: "k".repeat(64), ASHLAR_GATEWAY: "http://127.0.0.1:9" };
  const node = await cli(["node", "--server-id", "n1", "--data-dir", path, "--port", "0"], { env });
  expect(node.exitCode).toBe(6);
  expect(node.stderr).toContain("fsck --rebuild");
  expect(readFileSync(join(path, "server.json"), "utf8")).toBe("");
  expect((await cli(["fsck", "--rebuild", "--path", path])).stderr).toContain("--server-id");
  expect((await cli(["fsck", "--rebuild", "--path", path, "--server-id", "n1"])).exitCode).toBe(0);
  expect(JSON.parse(readFileSync(join(path, "server.json"), "utf8"))).toMatchObject({ serverId: "n1" });
});
