import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { NODEJS_ARGUMENTS } from "../support/ashlar-program.ts";
import { cli, startCli } from "../support/cli.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { ROOT, readPage } from "./markdown.ts";

const run = promisify(execFile);
const CLUSTER = { CLUSTER_KEY: "the tests' own cluster key, 32 characters" };

describe("generated pages", () => {
  test("are what the sources give", async () => {
    const check = run(process.execPath, [...NODEJS_ARGUMENTS, "tools/docs.ts", "--check"], { cwd: ROOT });
    await expect(check).resolves.toMatchObject({ stderr: "" });
  });

  test("name every command of the program", async () => {
    const page = readPage("docs/configuration.md");
    const help = await cli(["--help"]);
    const names = [...help.stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) if (name !== "help") expect(page).toContain(`\`ashlar ${name}`);
  });
});

describe("the list of metrics", () => {
  test("is what a gateway and a node show, no more and no less", async () => {
    await using folder = await createTempFolder();
    const quiet = ["--port", "0", "--log-level", "silent"];
    const gateway = startCli(["gateway", "--path", folder.at("meta"), ...quiet], { env: CLUSTER });
    const [, gatewayUrl = ""] = await gateway.until(/listens on (\S+)/);
    const node = startCli(
      ["node", "--server-id", "n1", "--data-dir", folder.at("n1"), "--gateway", gatewayUrl, ...quiet],
      { env: CLUSTER },
    );
    const [, nodeUrl = ""] = await node.until(/listens on (\S+)/);
    const texts = await Promise.all([gatewayUrl, nodeUrl].map(async (url) => (await fetch(`${url}/metrics`)).text()));
    await node.stop();
    await gateway.stop();
    const shown = new Set(
      texts.flatMap((text) => [...text.matchAll(/^# TYPE (ashlar_\w+)/gm)].map(([, name]) => name)),
    );
    const listed = [...readPage("docs/operations.md").matchAll(/^\| `(ashlar_\w+)`/gm)].map(([, name]) => name);
    expect([...shown].sort()).toEqual(listed.sort());
  });
});
