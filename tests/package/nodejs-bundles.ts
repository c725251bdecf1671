import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { codeBlocks, readPage } from "../docs/markdown.ts";
import { ROOT } from "./packed-project.ts";

const run = promisify(execFile);
const PAGE = "docs/seats-and-transports.md";
const ESBUILD = ["app.ts", "--bundle", "--platform=node", "--log-level=error"];

/** More bytes than stay inline, so that both threads and the chunk store have work. No top-level `await`, which CommonJS lacks. */
const app = (options: string, imports = ""): string => `
import { createClient } from "@ashlar/sdk";
import { embedded } from "@ashlar/adapters/embedded";
${imports}
async function main(): Promise<void> {
  const client = createClient(embedded({ path: "./store", ${options} }));
  try {
    await client.createBucket({ bucket: "bundled", ifMissing: true });
    await client.putObject({ bucket: "bundled", key: "k", body: new Uint8Array(5_000_000) });
    console.log((await client.bucket("bundled").object("k").bytes()).byteLength);
  } finally {
    await client.close();
  }
}
main().catch(({ code, message }) => console.log(code, message));
`;

/** The command of the page's section below the comment that contains `words`. */
function commandOf(words: string): string {
  const blocks = codeBlocks(readPage(PAGE)).filter(({ directive }) =>
    directive?.endsWith("tests/package/nodejs-bundles.ts"),
  );
  const lines = blocks.flatMap(({ code }) => code.split("\n"));
  const command = lines[lines.findIndex((line) => line.startsWith("#") && line.includes(words)) + 1];
  if (!command?.startsWith("esbuild ")) throw new Error(`${PAGE} has no command for ${words}`);
  return command;
}

/** Makes the app in a folder of its own, bundles it with a shell command, and runs the bundle. @returns what it printed. */
async function bundleAndRun(folder: string, source: string, command: string, main: string): Promise<string> {
  await mkdir(folder);
  await writeFile(join(folder, "app.ts"), source);
  const env = { PATH: `${join(ROOT, "tests/node_modules/.bin")}:${dirname(process.execPath)}:${process.env.PATH}` };
  await run("sh", ["-c", command], { cwd: folder, env });
  return (await run(process.execPath, ["--disable-warning=ExperimentalWarning", main], { cwd: folder, env })).stdout;
}

/** The embedded seat in an app's bundle: the bundler does not know of the file that the seat's thread starts from. */
export function defineNodejsBundles(project: () => string): void {
  describe("a Node app's bundle", { timeout: 60_000 }, () => {
    const folder = (name: string): string => join(project(), `node-${name}`);

    test.each([
      ["esm", ""],
      ["cjs", ""],
    ])("without the worker's file says what to do (%s)", async (format) => {
      const command = `esbuild ${ESBUILD.join(" ")} --format=${format} --outfile=out/app.${format === "cjs" ? "cjs" : "js"}`;
      const main = format === "cjs" ? "out/app.cjs" : "out/app.js";
      const said = await bundleAndRun(folder(`bare-${format}`), app(""), command, main);
      expect(said).toMatch(/^INVALID_ARGUMENT .*workerUrl/);
    });

    test("does not use a worker.js of the app's own", async () => {
      const own = `mkdir out && echo 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => {});' > out/worker.js`;
      const command = `${own} && esbuild ${ESBUILD.join(" ")} --format=esm --outfile=out/app.js`;
      expect(await bundleAndRun(folder("own-worker"), app(""), command, "out/app.js")).toMatch(/^INVALID_ARGUMENT/);
    });

    test.each(["esm", "cjs"])("works with the packages left outside (%s)", async (format) => {
      const command = commandOf("stay outside").replace("--format=esm", `--format=${format}`);
      const cjs = format === "cjs";
      const named = cjs ? command.replace("out/app.js", "out/app.cjs") : command;
      expect(await bundleAndRun(folder(`outside-${format}`), app(""), named, cjs ? "out/app.cjs" : "out/app.js")).toBe(
        "5000000\n",
      );
    });

    test("works with the worker as a file of its own (ES modules)", async () => {
      const source = app('workerUrl: new URL("./sqlite-worker.js", import.meta.url)');
      expect(await bundleAndRun(folder("whole-esm"), source, commandOf("ES modules"), "out/app.js")).toBe("5000000\n");
    });

    test("works with the worker as a file of its own (CommonJS)", async () => {
      const imports = 'import { join } from "node:path";\nimport { pathToFileURL } from "node:url";';
      const source = app('workerUrl: pathToFileURL(join(__dirname, "sqlite-worker.cjs"))', imports);
      expect(await bundleAndRun(folder("whole-cjs"), source, commandOf("CommonJS"), "out/app.cjs")).toBe("5000000\n");
    });
  });
}
