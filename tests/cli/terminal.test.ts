import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASHLAR_COMMAND } from "../support/ashlar-program.ts";
import { cli, cliJson } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

/** A title, the clipboard, a line that is drawn over, one that is forged, a C1 sequence, text turned round, a line separator. */
const EVIL =
  "a\u001b]0;owned\u0007\u001b]52;c;Y3VybA==\u0007\r2026-01-01  forged\nsecond\u009b31m\u202egpj.exe\u2028end";
/** Characters that a terminal obeys, or draws in the wrong place; our own line ends are allowed. */
const OBEYED = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

let folder: TempFolder;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await createTempFolder();
  env = { ASHLAR_PATH: folder.at("store") };
  // No request header takes C0 characters; the others get through.
  const put = ["put", "-", `photos/${EVIL}`, "--create-bucket", "--metadata", "note=\u009b31m\u202ered"];
  expect(await cli(put, { env, input: "x" })).toMatchObject({ exitCode: 0 });
});
afterAll(() => folder[Symbol.asyncDispose]());

describe("nothing that a terminal obeys is printed", () => {
  test.each([
    ["ls", ["ls", "photos"]],
    ["ls -r", ["ls", "-r", "photos/a"]],
    ["ls of nothing", ["ls", `photos/${EVIL}nothing`]],
    ["head", ["head", `photos/${EVIL}`]],
    ["head of nothing, which guesses", ["head", `photos/${EVIL}x`]],
    ["get into a file that should not be called so", ["get", `photos/${EVIL}`]],
    ["rm of nothing", ["rm", `photos/${EVIL}nothing`]],
    ["rm -r without --yes", ["rm", "-r", "--prefix", `photos/${EVIL}`]],
    ["rm --dry-run", ["rm", "--dry-run", `photos/${EVIL}`]],
    ["cp", ["cp", `photos/${EVIL}`, `photos/copies/${EVIL}`]],
    ["mv", ["mv", `photos/copies/${EVIL}`, `photos/moved/${EVIL}`]],
    ["du", ["du", `photos/${EVIL}`]],
    ["uploads ls", ["uploads", "ls", `photos/${EVIL}`]],
    ["put", ["put", "-", `photos/${EVIL}`]],
    ["an invalid bucket", ["ls", EVIL]],
    ["an unknown command", [EVIL]],
    ["an invalid setting", ["ls", "--limit", EVIL]],
    ["a path without a store", ["ls", "--path", `${EVIL}`]],
    ["health of a folder", ["health", "--path", EVIL]],
  ])("by %s, as text or JSON", async (_what, argv) => {
    for (const flags of [[], ["--json"]]) {
      const { stdout, stderr } = await cli([...argv, ...flags], { env, input: "x" });
      // Where there is nothing, JSON prints nothing.
      if (flags.length === 0) expect(stdout + stderr).not.toBe("");
      expect(stdout + stderr).not.toMatch(OBEYED);
      expect(stdout + stderr).not.toMatch(/^(?:second|2026-01-01)/m);
    }
  });

  test("and JSON says what is there all the same", async () => {
    const entries = await cliJson<{ key?: string }>(["ls", "-r", "photos"], { env });
    expect(entries.map(({ key }) => key)).toContain(EVIL);
  });

  test("by an error with its causes", async () => {
    const { stderr } = await cli(["head", `photos/${EVIL}x`, "--debug"], { env });
    expect(stderr).not.toMatch(OBEYED);
  });
});

test("ls --null gives keys as they are, for xargs -0", async () => {
  const { stdout } = await cli(["ls", "-r", "--null", "photos/a"], { env });
  expect(stdout).toBe(`photos/${EVIL}\0`);
});

const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

/** Runs a command line on a terminal, and types. */
function onTerminal(
  argv: readonly string[],
  typed: string,
): { readonly status: number | null; readonly shown: string } {
  const words = [...ASHLAR_COMMAND, ...argv];
  const command = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const { status, stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
    encoding: "utf8",
    input: typed,
    env: { PATH: process.env.PATH, ...env },
  });
  return { status, shown: stdout };
}

describe.runIf(hasTerminal)("on a terminal", () => {
  test("a key is shown, not sent", () => {
    const { shown } = onTerminal(["ls", "photos/a"], "");
    expect(shown).toContain("a\\x1b]0;owned\\x07");
    expect(shown.replaceAll("\r\n", "\n")).not.toMatch(OBEYED);
  });

  test("rm -r asks, and takes nothing but yes for yes", async () => {
    await cli(["put", "-", "photos/asked/1"], { env, input: "x" });
    const refused = onTerminal(["rm", "-r", "photos/asked"], "n\n");
    expect(refused.shown).toContain("delete 1 object (1 B) in photos/asked/? [y/N]");
    expect(refused.status).toBe(130);
    expect((await cli(["head", "photos/asked/1"], { env })).exitCode).toBe(0);
    expect(onTerminal(["rm", "-r", "photos/asked"], "y\n").status).toBe(0);
    expect((await cli(["head", "photos/asked/1"], { env })).exitCode).toBe(3);
  });
});
