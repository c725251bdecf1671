/**
 * Publishes the packages that got a new version from `changeset version`: `npm run release`. With `--dry-run` it publishes nothing: it builds, packs
 * and checks the packages as `npm run exports` does, and tells what would be released.
 */
import { spawnSync } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { parseArgs } from "node:util";

const PNPM = "pnpm@12.21.0";
const { values } = parseArgs({ options: { "dry-run": { type: "boolean", default: false } } });

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status === 0) return;
  process.stderr.write(`${[command, ...args].join(" ")}: ${error?.message ?? `exit code ${status}`}\n`);
  process.exit(1);
}

// Builds first: the packages that are checked are those that are published.
run(process.execPath, "tools/bootstrap.mjs", "check", "exports");
if (values["dry-run"]) {
  for (const file of globSync("node_modules/.cache/ashlar/packed/*.tgz").sort()) {
    process.stdout.write(`${file.split("/").at(-1)}: ${(statSync(file).size / 1000).toFixed(0)} kB\n`);
  }
  // Fails if a changeset names a package that does not exist. `npm run release:version` has to apply waiting changesets before a release.
  run("changeset", "status", "--verbose");
} else {
  // changesets publishes with pnpm, which replaces "workspace:" and "catalog:" by versions.
  run("npx", "--yes", `--package=${PNPM}`, "--", "changeset", "publish");
}
