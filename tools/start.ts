/**
 * What `npm start` shows a new user: the main job on an embedded store in ./.ashlar, then the all-in-one server on the same folder.
 *
 * Runs under the pinned Node against the built packages; tools/bootstrap.mjs provides both. `--once` ends after the main job;
 * `--path <folder>` and `--port <port>` as for `ashlar serve`.
 */
import { relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { AshlarError } from "@ashlar/sdk/errors";
import { exitCodeOf, runCli, superviseProcess } from "@ashlar/server/cli";
import { runMainJob } from "./main-job.ts";

/** How the command line is called in this folder, with any Node that the caller has. */
const PROGRAM = "npm run -s ashlar --";
const USAGE = "usage: npm start -- [--once] [--path <folder>] [--port <port>]";

const supervision = superviseProcess();
await supervision.exit(await start());

async function start(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const { once, path, port } = options;
  const streams = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  try {
    const print = (line: string): void => console.log(line);
    // The pinned Node binary: a real file of about 100 MB that is always here.
    const file = relative(process.cwd(), fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url)));
    if (!(await runMainJob({ path, file, print, signal: supervision.signal }))) return 1;
  } catch (error) {
    if (supervision.signal.aborted) return 130;
    if (!AshlarError.is(error) || error.code === "INTERNAL") {
      console.error(error);
      return 1;
    }
    console.error(`npm start: ${error.message} (${error.code})`);
    return exitCodeOf(error.code);
  }
  if (once) return 0;
  console.log();
  const argv = ["serve", "--path", path, "--log-level", "warn", ...(port === undefined ? [] : ["--port", port])];
  const exitCode = await runCli({ ...streams, argv, env: process.env, signal: supervision.signal, program: PROGRAM });
  if (exitCode === 0) console.log("stopped");
  return exitCode;
}

function readOptions(): { help: boolean; once: boolean; path: string; port: string | undefined } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: "boolean", short: "h", default: false },
        once: { type: "boolean", default: false },
        path: { type: "string", default: ".ashlar" },
        port: { type: "string" },
      },
    });
    return { help: values.help, once: values.once, path: values.path, port: values.port };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return undefined;
  }
}
