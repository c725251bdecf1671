import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closePath, closeToOthers, makePrivateFile } from "./private-files.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "ashlar-private-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

test.skipIf(process.platform === "win32")(
  "a folder of a store and its parts are closed, another one is not",
  async () => {
    for (const name of ["store", "app"]) {
      await mkdir(join(root, name, "chunks"), { recursive: true });
      await writeFile(join(root, name, "format.json"), "{}");
      await chmod(join(root, name, "chunks"), 0o777);
      await chmod(join(root, name), 0o755);
    }
    await writeFile(join(root, "app", "package.json"), "{}");
    for (const name of ["store", "app"]) await closeToOthers(join(root, name), ["chunks", "quarantine"]);
    expect(await modeOf(join(root, "store"))).toBe("700");
    expect(await modeOf(join(root, "app"))).toBe("755");
    for (const name of ["store", "app"]) expect(await modeOf(join(root, name, "chunks"))).toBe("700");
  },
);

test.skipIf(process.platform === "win32")("what a link leads to is left alone", async () => {
  await mkdir(join(root, "elsewhere"));
  await chmod(join(root, "elsewhere"), 0o755);
  await symlink(join(root, "elsewhere"), join(root, "link"));
  closePath(join(root, "link"));
  closePath(join(root, "absent"));
  expect(await modeOf(join(root, "elsewhere"))).toBe("755");
});

test.skipIf(process.platform === "win32")(
  "a file that is made belongs to its owner alone, and one that is there stays",
  async () => {
    const file = join(root, "metadata.sqlite");
    makePrivateFile(file);
    expect(await modeOf(file)).toBe("600");
    await writeFile(file, "kept");
    makePrivateFile(file);
    expect((await stat(file)).size).toBe(4);
    makePrivateFile(join(root, "no-folder", "x"));
    expect(await readdir(root)).toEqual(["metadata.sqlite"]);
  },
);
