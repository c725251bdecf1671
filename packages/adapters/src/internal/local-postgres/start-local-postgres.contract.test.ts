import { spawn } from "node:child_process";
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDataFolder } from "./data-folder.ts";
import { adviceFor } from "./explain-failure.ts";
import { openLocalPostgres } from "./local-postgres.ts";
import { postgresUser } from "./postgres-user.ts";
import { type RunningPostgres, startLocalPostgres } from "./start-local-postgres.ts";

const isRoot = process.getuid?.() === 0;
let folder: string;
let running: RunningPostgres | undefined;

beforeEach(() => {
  // 0700, as the home of root often is.
  folder = mkdtempSync(join(tmpdir(), "ashlar-closed-"));
});
afterEach(async () => {
  await running?.dispose();
  running = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows[0];
  } finally {
    await client.end();
  }
}

describe("a PostgreSQL of one's own", { timeout: 120_000 }, () => {
  test("runs in a folder that only its owner may enter, keeps its data through a kill, and leaves nothing", async () => {
    running = await startLocalPostgres({ parent: folder });
    await ask(running.url, "CREATE TABLE kept AS SELECT 7 AS seven");
    await running.kill();
    await running.start();
    expect(await ask(running.url, "SELECT * FROM kept")).toEqual({ seven: 7 });
    const [name = ""] = readdirSync(folder);
    const data = join(folder, name, "data");
    const outside = lstatSync(data).isSymbolicLink() ? readlinkSync(data) : undefined;
    // The folder is in the way of another user only.
    expect(outside === undefined).toBe(!isRoot);
    await running.dispose();
    running = undefined;
    expect(readdirSync(folder)).toEqual([]);
    if (outside !== undefined) expect(lstatSync(outside, { throwIfNoEntry: false })).toBeUndefined();
  });

  test("shows its password to nobody while its data is made", async () => {
    chmodSync(folder, 0o755);
    const data = join(folder, "data");
    const server = await openLocalPostgres({ folder: data, port: 1, password: "secret" });
    const before = new Set(readdirSync(tmpdir()));
    const owner = (await postgresUser())?.uid ?? process.getuid?.();
    const seen = new Set<string>();
    let done = false;
    const making = server.prepare().finally(() => {
      done = true;
    });
    while (!done) {
      for (const path of [`${data}.new`, join(`${data}.new`, "password")]) {
        const found = lstatSync(path, { throwIfNoEntry: false });
        if (found !== undefined && found.uid === owner)
          seen.add(`${path.slice(data.length)} ${(found.mode & 0o777).toString(8)}`);
      }
      for (const name of readdirSync(tmpdir())) {
        if (!before.has(name)) expect(name).not.toContain("password");
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await making;
    expect([...seen].sort()).toEqual([".new 700", ".new/password 600"]);
    expect(readdirSync(folder)).toEqual(["data"]);
    expect(lstatSync(data).mode & 0o077).toBe(0);
    await removeDataFolder(data);
  });

  test("whose data is gone says so, instead of beginning anew", async () => {
    const data = join(folder, "data");
    symlinkSync(join(folder, "away"), data);
    const opened = openLocalPostgres({ folder: data, port: 1, password: "secret" });
    await expect(opened).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
  });

  test("that finds its port taken says so", async () => {
    running = await startLocalPostgres();
    const { port, password } = new URL(running.url);
    chmodSync(folder, 0o755);
    const second = await openLocalPostgres({ folder: join(folder, "data"), port: Number(port), password });
    await second.prepare();
    const { file, args, ...options } = second.launch();
    const child = spawn(file, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    expect(await new Promise((resolve) => child.once("close", resolve))).not.toBe(0);
    expect(adviceFor(said), said).toContain("another port");
  });
});
