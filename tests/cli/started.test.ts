/** What only the process itself knows: the bytes of its arguments, and streams that were closed before it began. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASHLAR_COMMAND, CLI_MAIN } from "../support/ashlar-program.ts";
import { cli } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

let folder: TempFolder;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await createTempFolder();
  env = { ASHLAR_PATH: folder.at("store") };
  const put = ["put", "-", "bucket/kept", "--create-bucket"];
  expect(await cli(put, { env, input: "what was there" })).toMatchObject({ exitCode: 0 });
});
afterAll(() => folder[Symbol.asyncDispose]());

/** Runs a line of a shell in which the word `ashlar` is replaced by the program. */
function shell(line: string, more: Readonly<Record<string, string>> = {}) {
  const program = ASHLAR_COMMAND.map((word) => `'${word}'`).join(" ");
  const path = process.env.PATH ?? "";
  const compiled = process.env.NODE_COMPILE_CACHE ?? "";
  const end = spawnSync("bash", ["-c", line.replaceAll("ashlar", program)], {
    env: { PATH: path, NODE_COMPILE_CACHE: compiled, ...env, ...more },
    encoding: "utf8",
  });
  return { exitCode: end.status, stdout: end.stdout, stderr: end.stderr };
}

const kept = async (key = "kept"): Promise<string> => (await cli(["get", `bucket/${key}`, "-"], { env })).stdout;

// Only on Linux does the kernel tell how a stream was opened, and the bytes of an argument.
describe.runIf(process.platform === "linux")("as a process of its own", () => {
  test("a closed standard input is no empty object, and one from /dev/null is", async () => {
    expect(shell("ashlar put - bucket/kept <&-")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("standard input is closed") as string,
    });
    expect(await kept()).toBe("what was there");
    expect(shell("ashlar put - bucket/empty </dev/null")).toMatchObject({ exitCode: 0 });
    expect(await kept("empty")).toBe("");
    expect(shell("printf piped | ashlar put - bucket/piped")).toMatchObject({ exitCode: 0 });
    expect(await kept("piped")).toBe("piped");
  });

  test("a closed standard output takes no object, and /dev/null does", () => {
    expect(shell("ashlar get bucket/kept - >&-")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("standard output is closed") as string,
    });
    expect(shell("ashlar get bucket/kept - >/dev/null")).toMatchObject({ exitCode: 0 });
  });

  test("arguments that are no UTF-8 are refused with their bytes, and never become one key", async () => {
    for (const byte of ["e8", "e9"]) {
      const end = shell(`printf x | ashlar put - $'bucket/caf\\x${byte}'`);
      expect([end.exitCode, end.stderr]).toEqual([2, expect.stringContaining(`bucket/caf\\x${byte}`)]);
    }
    expect((await cli(["ls", "bucket/caf"], { env })).stdout).toBe("");
    // A user who means the character itself may type it.
    expect(shell("printf x | ashlar put - $'bucket/\\uFFFD'", { LC_ALL: "C.UTF-8" })).toMatchObject({ exitCode: 0 });
    expect(await kept("\ufffd")).toBe("x");
  });

  test("variables that are no UTF-8 are refused", () => {
    const end = shell("ASHLAR_PATH=$'/tmp/caf\\xe9' ashlar ls");
    expect([end.exitCode, end.stderr]).toEqual([2, expect.stringContaining("ASHLAR_PATH must be text in UTF-8")]);
  });
});

test("the entry imports nothing but what tells which Node is needed", () => {
  const imports = readFileSync(CLI_MAIN, "utf8").match(/^import .*$/gm);
  expect(imports).toEqual([
    'import process from "node:process";',
    'import { nodejsProblem } from "./nodejs-version.ts";',
  ]);
});
