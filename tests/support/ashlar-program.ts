import { fileURLToPath } from "node:url";

/** The program's entry, beside the module that the package exports. */
export const CLI_MAIN: string = fileURLToPath(new URL("./main.ts", import.meta.resolve("@ashlar/server/cli")));

/** Arguments of Node that run the sources. */
export const NODE_ARGUMENTS: readonly string[] = [
  "--conditions=ashlar-source",
  "--disable-warning=ExperimentalWarning",
];

const BUILT_MAIN = CLI_MAIN.replace(/\/src\/cli\/main\.ts$/, "/dist/cli/main.js");

/**
 * `ashlar`, for a process of its own: words to start it with. From the sources; in a run of everything, which builds the packages first, as it is published:
 * hundreds of processes then start in half the time.
 */
export const ASHLAR_COMMAND: readonly [string, ...string[]] =
  process.env.ASHLAR_TEST_PROGRAM === "built"
    ? [process.execPath, BUILT_MAIN]
    : [process.execPath, ...NODE_ARGUMENTS, CLI_MAIN];
