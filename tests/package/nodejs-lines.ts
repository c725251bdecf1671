import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { ROOT, readManifest } from "./packed-project.ts";

const run = promisify(execFile);
const APP = "app-under-nodejs.ts";

interface NodejsLine {
  readonly major: number;
  readonly path: string;
}

/** Where tools/ci/prepare.sh puts other lines of Node; the middle one is the workspace's own. */
function nodejsLines(): readonly NodejsLine[] {
  const cached = (major: number): string => join(ROOT, `node_modules/.cache/nodes/${major}/node_modules/node/bin/node`);
  return [
    { major: 22, path: cached(22) },
    { major: 24, path: process.execPath },
    { major: 26, path: cached(26) },
  ];
}

/** The packed packages, installed in a project of their own, in use under each line of Node that they promise. */
export function defineNodejsLines(project: () => string): void {
  describe.each(nodejsLines())("under Node $major", ({ major, path }) => {
    // A machine without this line tests those that it has; CI must have all.
    const isAbsent = !existsSync(path);
    if (isAbsent && !process.env.CI) return test.skip("is not here: tools/ci/prepare.sh nodes", () => {});

    test("an app stores embedded, through a gateway and over gRPC, and with the command line", {
      timeout: 120_000,
    }, async () => {
      expect(isAbsent, `${path} is missing: tools/ci/prepare.sh nodes`).toBe(false);
      const folder = join(project(), `under-node-${major}`);
      await mkdir(folder);
      await copyFile(new URL(APP, import.meta.url), join(project(), APP));
      const main = join(project(), "node_modules/@ashlar/server/dist/cli/main.js");
      const { stdout } = await run(path, [join(project(), APP), main, folder], { cwd: folder, env: {} });
      expect(JSON.parse(stdout)).toEqual({
        node: expect.stringMatching(`^v${major}\\.`),
        digestCount: 1,
        buckets: ["grpc", "grpc-js", "undici"],
        exitCode: 0,
      });
    });

    test("the oldest version that it needs is the one in package.json", async () => {
      const { stdout } = await run(path, ["--version"]);
      const { engines } = await readManifest(join(ROOT, "packages/server"));
      // Of the oldest line, the oldest version is installed here.
      if (major === 22) expect(engines?.node).toBe(`>=${stdout.trim().slice(1).replace(/\.0$/, "")}`);
      else expect(Number(stdout.slice(1).split(".")[0])).toBeGreaterThan(22);
    });
  });
}
