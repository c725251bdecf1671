import { chmodSync, chownSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packagePrograms } from "./package-programs.ts";
import { type PostgresUser, postgresUser } from "./postgres-user.ts";
import { canRunPrograms, tryProgram } from "./reachable.ts";
import { reachablePrograms } from "./shared-programs.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stdout.write("skipped: only root runs PostgreSQL as another user\n");

describe.skipIf(!isRoot)("PostgreSQL's programs below a folder that only root may enter", { timeout: 120_000 }, () => {
  let folder: string;
  let closed: string;
  let user: PostgresUser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "ashlar-programs-"));
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, "closed"), { mode: 0o700 });
    closed = join(folder, "closed", "native");
    cpSync(await packagePrograms(), closed, { recursive: true, verbatimSymlinks: true });
    user = (await postgresUser()) as PostgresUser;
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("are copied to a place where its user can run them, once, and belong to root alone", async () => {
    expect(canRunPrograms(closed, user)).toBe(false);
    const places = [join(folder, "place")];
    const umask = process.umask(0o077);
    const copy = await reachablePrograms(closed, user, places).finally(() => process.umask(umask));
    expect(copy.startsWith(join(folder, "place"))).toBe(true);
    expect(tryProgram(join(copy, "bin", "postgres"), user)).toBeUndefined();
    const entries = readdirSync(copy, { recursive: true, withFileTypes: true });
    expect(entries.length).toBeGreaterThan(100);
    for (const entry of entries.filter((each) => !each.isSymbolicLink())) {
      const { uid, mode } = lstatSync(join(entry.parentPath, entry.name));
      expect([uid, mode & 0o022], entry.name).toEqual([0, 0]);
    }
    const { ino } = lstatSync(copy);
    expect(await reachablePrograms(closed, user, places)).toBe(copy);
    expect(lstatSync(copy).ino).toBe(ino);
    expect(readdirSync(join(folder, "place"))).toHaveLength(1);
  });

  test("are copied by many at once, and all get the same copy", async () => {
    const places = [join(folder, "raced")];
    const copies = await Promise.all([1, 2, 3].map(() => reachablePrograms(closed, user, places)));
    expect(new Set(copies).size).toBe(1);
    expect(readdirSync(join(folder, "raced"))).toHaveLength(1);
  });

  test("are not looked for where somebody else could have put them", async () => {
    const planted = join(folder, "planted");
    mkdirSync(planted);
    chownSync(planted, user.uid, user.gid);
    const open = join(folder, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    const refused = reachablePrograms(closed, user, [planted, join(planted, "below"), open, join(open, "below")]);
    await expect(refused).rejects.toMatchObject({ code: "UNSUPPORTED" });
    for (const path of [planted, open]) {
      const found = readdirSync(path, { recursive: true, encoding: "utf8" });
      expect(found.filter((name) => name.includes("postgresql"))).toEqual([]);
    }
    // The next place that is sound is taken.
    expect(await reachablePrograms(closed, user, [planted, join(folder, "sound")])).toContain(join(folder, "sound"));
  });

  test("are run where they are if its user can reach them", async () => {
    chmodSync(join(folder, "closed"), 0o711);
    const places = [join(folder, "unused")];
    expect(await reachablePrograms(closed, user, places)).toBe(closed);
    expect(lstatSync(join(folder, "unused"), { throwIfNoEntry: false })).toBeUndefined();
    chmodSync(join(folder, "closed"), 0o700);
  });
});
