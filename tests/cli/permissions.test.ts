import { spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASHLAR_COMMAND, NODEJS_ARGUMENTS } from "../support/ashlar-program.ts";
import { cli } from "../support/cli.ts";
import { startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

let folder: TempFolder;
let umask: number;
beforeAll(async () => {
  folder = await createTempFolder();
  // Every process below inherits it: the umask that permits most.
  umask = process.umask(0);
});
afterAll(async () => {
  process.umask(umask);
  await folder[Symbol.asyncDispose]();
});

/** Everything below a path that others may use in any way, the path itself too. */
function openToOthers(path: string): readonly string[] {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return ["", ...names].filter((name) => (lstatSync(join(path, name)).mode & 0o077) !== 0);
}

describe.skipIf(process.platform === "win32")("whatever the umask, nobody else can use", () => {
  test("what serve makes", async () => {
    const path = folder.at("above", "served");
    const server = await startServerProcess(["serve", "--path", path, "--port", "0"]);
    const env = { ASHLAR_GATEWAY: server.url, ASHLAR_API_KEY: String(server.ready.apiKey) };
    await cli(["put", "-", "box/chunked", "--create-bucket"], { env, input: testBytes(200_000, 1) });
    await cli(["put", "-", "box/inline"], { env, input: "inline" });
    expect(readdirSync(path).sort()).toEqual(
      expect.arrayContaining(["chunks", "cluster.key", "format.json", "metadata.sqlite", "metadata.sqlite-wal"]),
    );
    expect(openToOthers(folder.at("above"))).toEqual([]);
    await server.stop();
    expect(openToOthers(folder.at("above"))).toEqual([]);
  });

  test("what a storage node makes, which says in the list of processes which one it is", async () => {
    const path = folder.at("node");
    const args = ["node", "--server-id", "n3", "--data-dir", path, "--port", "0", "--gateway", "http://127.0.0.1:1"];
    const node = await startServerProcess(args, { CLUSTER_KEY: "k".repeat(32) });
    expect(readdirSync(path)).toEqual(expect.arrayContaining(["server.json", "server.lock", "format.json"]));
    expect(openToOthers(path)).toEqual([]);
    if (process.platform === "linux") expect(titleOf(node.pid)).toBe("ashlar node n3");
    await node.stop();
  });

  test("what the embedded seat makes, temporary files and what is put aside too", async () => {
    const path = folder.at("embedded");
    await using client = createClient(embedded({ path }));
    await client.createBucket({ bucket: "box" });
    await client.putObject({ bucket: "box", key: "a", body: testBytes(200_000, 2) });
    for (const file of readdirSync(path, { recursive: true, encoding: "utf8" })) {
      if (/[0-9a-f]{64}$/.test(file)) writeFileSync(join(path, file), "damaged");
    }
    await client
      .bucket("box")
      .object("a")
      .bytes()
      .catch(() => {});
    expect(readdirSync(path)).toContain("quarantine");
    expect(openToOthers(path)).toEqual([]);
  });

  test("a store of an earlier release, from its next opening on", async () => {
    const path = folder.at("old");
    const env = { ASHLAR_PATH: path };
    await cli(["put", "-", "box/a", "--create-bucket"], { env, input: testBytes(200_000, 3) });
    for (const name of readdirSync(path, { recursive: true, encoding: "utf8" })) chmodSync(join(path, name), 0o777);
    chmodSync(path, 0o755);
    expect((await cli(["ls", "box"], { env })).exitCode).toBe(0);
    for (const name of ["", "chunks", "metadata.sqlite"]) {
      expect(statSync(join(path, name)).mode & 0o077, name).toBe(0);
    }
  });

  test("an empty folder that was made for a store; a folder with other things in it keeps its mode, and only the store in it is closed", async () => {
    for (const name of ["empty", "app"]) mkdirSync(folder.at(name), { mode: 0o755 });
    writeFileSync(folder.at("app", "package.json"), "{}");
    for (const name of ["empty", "app"]) {
      await cli(["put", "-", "box/a", "--create-bucket", "--path", folder.at(name)], { input: testBytes(200_000, 3) });
    }
    expect(statSync(folder.at("empty")).mode & 0o777).toBe(0o700);
    expect(openToOthers(folder.at("app"))).toEqual(["", "package.json"]);
  });
});

/** Takes away root's right to ignore modes: a folder of mode 0 then keeps root out, as a folder of root's keeps out any other user. */
const POWERLESS = process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];

describe.skipIf(process.platform === "win32")("a store that this user may not use", () => {
  let path: string;
  beforeAll(async () => {
    path = folder.at("of-another-user");
    await cli(["put", "-", "box/a", "--create-bucket", "--path", path], { input: "x" });
    writeFileSync(join(path, "cluster.json"), "{}");
    chmodSync(path, 0);
  });
  afterAll(() => chmodSync(path, 0o700));

  for (const args of [
    ["ls", "box"],
    ["du"],
    ["key", "create"],
    ["mb", "box2"],
    ["put", "-", "box/b", "--create-bucket"],
    ["collect"],
    ["health"],
    ["fsck"],
    ["fsck", "--rebuild"],
    ["fsck", "--start-empty"],
    ["serve", "--port", "0"],
    ["cluster", "status"],
    ["cluster", "down"],
  ]) {
    test(`is reported as such by ${args.join(" ")}, and never as absent`, () => {
      const [command = "", ...words] = [...POWERLESS, ...ASHLAR_COMMAND, ...args, "--path", path];
      const { NODE_COMPILE_CACHE, PATH } = process.env;
      const run = spawnSync(command, words, { encoding: "utf8", input: "x", env: { NODE_COMPILE_CACHE, PATH } });
      expect(run.status, run.stdout + run.stderr).toBe(2);
      expect(run.stderr).toMatch(/may not be used by .*run this as (its|the) owner/);
      expect(run.stderr).not.toMatch(/make a store|there is no/);
    }, 30_000);
  }

  test("is reported as such by the embedded seat", () => {
    const [command = "", ...words] = [...POWERLESS, process.execPath, ...NODEJS_ARGUMENTS, "--input-type=module", "-e"];
    const program = `
      import { createClient } from "@ashlar/sdk";
      import { embedded } from "@ashlar/adapters/embedded";
      await createClient(embedded({ path: process.argv[1] })).listBuckets().catch((error) => console.log(error.code, error.message));`;
    const run = spawnSync(command, [...words, program, path], { encoding: "utf8", cwd: import.meta.dirname });
    expect(run.stdout, run.stderr).toMatch(/^INVALID_ARGUMENT .*run this as the owner of the store/);
  });
});

test.skipIf(process.platform === "win32")("mb over a link that leads nowhere says that it is one", async () => {
  symlinkSync("/nonexistent/store", folder.at("dangling"));
  const mb = await cli(["mb", "box", "--path", folder.at("dangling")]);
  expect([mb.exitCode, mb.stderr]).toEqual([2, expect.stringContaining("is a symbolic link that leads to no folder")]);
});

function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
}
