import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fileNameOf, type LocalTarget, localTarget, writeTarget } from "./local-target.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ashlar-target-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function* bytesOf(text: string, error?: Error): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
  if (error !== undefined) throw error;
}
const write = (target: LocalTarget, text = "new"): Promise<void> => writeTarget(target, bytesOf(text));
const named = (file: string): LocalTarget => ({ file: join(folder, file), isNamedByKey: false });
const byKey = (key: string): Promise<LocalTarget> => localTarget(folder, key);

describe("the file name for a key", () => {
  test.each([
    ["2026/cat.jpg", "cat.jpg"],
    ["a/../../etc/passwd", "passwd"],
    ["/etc/passwd", "passwd"],
    ["..\\..\\x", "..\\..\\x"],
    ["-rf", "-rf"],
    [`x/${"n".repeat(255)}`, "n".repeat(255)],
  ])("%s", (key, name) => expect(fileNameOf(key, "linux")).toBe(name));

  test.each(["..", "a/..", ".", "a/", "", "a\0b", "a\u001b[2J", "a\nb", "a\u009b", "\u202egpj", "é".repeat(128)])(
    "%j gives none",
    (key) => expect(() => fileNameOf(key, "linux")).toThrow(),
  );

  test("on Windows, backslashes separate folders too, and some names are devices", () => {
    expect(fileNameOf("a\\..\\..\\evil.exe", "win32")).toBe("evil.exe");
    for (const key of ["..\\..", "C:x", "x:stream", "nul", "COM1.txt", "a ", "a."]) {
      expect(() => fileNameOf(key, "win32"), key).toThrow();
    }
  });
});

describe("a target", () => {
  test("that is a link stays a link, and the file behind it is replaced in one step and keeps its permissions", async () => {
    mkdirSync(join(folder, "real"));
    writeFileSync(join(folder, "real", "config"), "old", { mode: 0o640 });
    symlinkSync(join("real", "config"), join(folder, "inner"));
    symlinkSync("inner", join(folder, "config"));
    await write(named("config"));
    expect(lstatSync(join(folder, "config")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, "real", "config"), "utf8")).toBe("new");
    expect(statSync(join(folder, "real", "config")).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(folder, "real"))).toEqual(["config"]);
    expect(readdirSync(folder).sort()).toEqual(["config", "inner", "real"]);
  });

  test("that is a link to nothing, or to itself, is refused", async () => {
    symlinkSync("nowhere", join(folder, "dangling"));
    symlinkSync("circle", join(folder, "circle"));
    await expect(write(named("dangling"))).rejects.toThrow();
    await expect(write(named("circle"))).rejects.toThrow();
    expect(readdirSync(folder).sort()).toEqual(["circle", "dangling"]);
  });

  test("that is named by a key is never written through a link, or to a folder or a device", async () => {
    writeFileSync(join(folder, "outside"), "kept");
    symlinkSync(join(folder, "outside"), join(folder, "link"));
    symlinkSync("/dev/null", join(folder, "device"));
    mkdirSync(join(folder, "sub"));
    for (const name of ["link", "device", "sub"]) await expect(write(await byKey(`x/${name}`)), name).rejects.toThrow();
    expect(readFileSync(join(folder, "outside"), "utf8")).toBe("kept");
    await write(await byKey("x/outside"));
    expect(readFileSync(join(folder, "outside"), "utf8")).toBe("new");
  });

  test("with the longest possible name is written", async () => {
    const name = "n".repeat(255);
    await write(await byKey(name));
    expect(readdirSync(folder)).toEqual([name]);
  });

  test("keeps its old bytes, and leaves no other file, when the new bytes do not come", async () => {
    writeFileSync(join(folder, "file"), "old");
    await expect(writeTarget(named("file"), bytesOf("half", new Error("lost")))).rejects.toThrow("lost");
    expect(readdirSync(folder)).toEqual(["file"]);
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("old");
  });

  test("below /dev is written directly, not replaced", async () => {
    await write({ file: "/dev/null", isNamedByKey: false });
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  });
});
