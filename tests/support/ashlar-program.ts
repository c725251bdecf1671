import { fileURLToPath } from "node:url";

/** The program's entry. A path, because vitest's global set-up starts servers too and resolves no package names. */
export const CLI_MAIN: string = fileURLToPath(new URL("../../packages/server/src/cli/main.ts", import.meta.url));

/** Arguments of Node that run the sources. */
export const NODEJS_ARGUMENTS: readonly string[] = [
  "--conditions=ashlar-source",
  "--disable-warning=ExperimentalWarning",
];

const BUILT_MAIN = CLI_MAIN.replace(/\/src\/cli\/main\.ts$/, "/dist/cli/main.js");

/**
 * The words that start `ashlar` in a process of its own: from the sources, or in a run of all tests as it is published. Such a run builds the
 * packages first, and hundreds of processes start in half the time.
 */
export const ASHLAR_COMMAND: readonly [string, ...string[]] =
  process.env.ASHLAR_TEST_PROGRAM === "built"
    ? [process.execPath, BUILT_MAIN]
    : [process.execPath, ...NODEJS_ARGUMENTS, CLI_MAIN];
