import { fileURLToPath } from "node:url";

/** The program's entry. By its path: vitest's global set-up, which starts servers too, resolves no package names. */
export const CLI_MAIN: string = fileURLToPath(new URL("../../packages/server/src/cli/main.ts", import.meta.url));

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
