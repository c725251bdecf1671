/**
 * The checks that CI runs besides the tests, by name: `node tools/check.mjs [format lint types deps proto apidocs workflows exports size]`.
 *
 * Runs under the pinned Node with node_modules/.bin in PATH (tools/bootstrap.mjs provides both). Every check runs even if
 * an earlier one failed; the exit code is 1 if any did.
 */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

const CACHE = "node_modules/.cache/ashlar";
/** Generated code with the template that makes it: our contract, and the standard services. */
const GENERATED = [
  { template: "buf.gen.yaml", folder: "packages/sdk/src/gen" },
  { template: "buf.gen.vendor.yaml", folder: "packages/server/src/http/gen" },
];
const PNPM = "pnpm@12.21.0";
/** The compiler written in Go: several times faster than the one with a JavaScript API, which the bundler and the API docs need. */
const TYPE_CHECKER = join("tools", "node_modules", ".bin", "tsc");
/** Enough for the messages about thousands of mistakes, which take a few MiB. */
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

/** Runs a command with its output shown; says whether it succeeded. */
function passes(command, args, options = {}) {
  const run = spawnSync(command, args, { stdio: "inherit", ...options });
  if (run.error) process.stderr.write(`${command}: ${run.error.message}\n`);
  return run.status === 0;
}

/** The same for commands that run at the same time as others or print much: shows the output at the end, and only of a command that failed. */
function passesQuietly(command, args) {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: OUTPUT_MAX_BYTES }, (error, stdout, stderr) => {
      if (error !== null) process.stderr.write(`${stdout}${stderr}${stdout === "" ? error.message : ""}\n`);
      resolve(error === null);
    });
  });
}

function output(command, args) {
  const run = spawnSync(command, args, { encoding: "utf8" });
  return run.status === 0 ? run.stdout.trim() : undefined;
}

/** Every program of the workspace: its sources and, separately, its tests. */
function typeScriptProjects() {
  const projects = globSync([
    "tsconfig.json",
    "packages/*/tsconfig.json",
    "packages/*/tsconfig.test.json",
    "tests/tsconfig.json",
    "bench/tsconfig.json",
    "examples/*/tsconfig.json",
  ]).sort();
  return projects.filter((project) => {
    const files = output(TYPE_CHECKER, ["--project", project, "--showConfig"]);
    // A project without any file yet is an error to tsc (TS18003), not to us.
    return files !== undefined && (JSON.parse(files).files ?? []).length > 0;
  });
}

/** tsc uses one core, so as many programs are checked at once as there are cores, in order of their names. */
async function checkTypes() {
  mkdirSync(CACHE, { recursive: true });
  const waiting = typeScriptProjects();
  const failures = [];
  const work = async () => {
    for (let project = waiting.shift(); project !== undefined; project = waiting.shift()) {
      const buildInfo = join(CACHE, `${project.replaceAll("/", "-")}.tsbuildinfo`);
      const args = ["--project", project, "--incremental", "--tsBuildInfoFile", buildInfo];
      if (await passesQuietly(TYPE_CHECKER, args)) continue;
      process.stderr.write(`types: ${project} failed\n`);
      failures.push(project);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return failures.length === 0;
}

/** The commit that a change is compared with: that of the published main branch, else of the local one. */
function baseCommit() {
  const base = ["origin/main", "main"]
    .map((ref) => output("git", ["rev-parse", "--verify", "--quiet", `${ref}^{commit}`]))
    .find((commit) => commit !== undefined);
  if (base === undefined) return undefined;
  const tree = output("git", ["ls-tree", "-r", "--name-only", base, "--", "buf.yaml", "proto"]) ?? "";
  return tree.includes("buf.yaml") && tree.includes(".proto") ? base : undefined;
}

/** The newest commit since `base` that says in a trailer why it breaks the protocol: what comes after it must keep to it. */
function declaredBreak(base) {
  const format = "--format=%H %(trailers:key=Breaks-Protocol,valueonly,separator=%x20)";
  const lines = output("git", ["log", format, `${base}..HEAD`])?.split("\n") ?? [];
  return lines.map((line) => line.trim().split(" ")).find(([, why]) => why !== undefined)?.[0];
}

function checkBreaking() {
  const base = baseCommit();
  if (base !== undefined) return passes("buf", ["breaking", "--against", `.git#ref=${declaredBreak(base) ?? base}`]);
  process.stdout.write(
    "proto: breaking changes not checked, there is no main branch with .proto files to compare with\n",
  );
  return true;
}

/** Generates into a folder of its own, so that the check changes nothing, and compares. */
function checkGenerated({ template, folder }) {
  const fresh = join(CACHE, "generated");
  rmSync(fresh, { recursive: true, force: true });
  if (!passes("buf", ["generate", "--template", template, "--output", fresh])) return false;
  const isSame = passes("git", [
    "--no-pager",
    "diff",
    "--no-index",
    "--stat",
    "--exit-code",
    folder,
    join(fresh, folder),
  ]);
  if (!isSame) process.stderr.write(`proto: ${folder} is not what the .proto files give: run "npm run generate"\n`);
  return isSame;
}

function checkProto() {
  if (globSync("proto/**/*.proto").length === 0) {
    process.stdout.write("proto: no .proto files\n");
    return true;
  }
  return [
    passes("buf", ["lint"]),
    passes("buf", ["format", "--diff", "--exit-code", "proto"]),
    checkBreaking(),
    ...GENERATED.map(checkGenerated),
  ].every(Boolean);
}

/** Packs each package as npm would publish it, then checks with two tools whether importers can use it. */
async function checkExports() {
  const packed = join(process.cwd(), CACHE, "packed");
  rmSync(packed, { recursive: true, force: true });
  mkdirSync(packed, { recursive: true });
  for (const name of readdirSync("packages")) {
    if (!existsSync(`packages/${name}/dist`)) continue;
    const isPacked = passes("npx", ["--yes", PNPM, "pack", "--pack-destination", packed], {
      cwd: `packages/${name}`,
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (!isPacked) return false;
  }
  let areRight = true;
  for (const file of readdirSync(packed)) {
    const tarball = join(packed, file);
    const attw = [tarball, "--profile", "esm-only", "--format", "ascii", "--no-color", "--no-emoji"];
    areRight = passes("publint", ["run", tarball, "--strict"]) && areRight;
    areRight = (await passesQuietly("attw", attw)) && areRight;
  }
  return areRight;
}

function checkSize() {
  const entries = [...new Set(JSON.parse(readFileSync(".size-limit.json", "utf8")).flatMap(({ path }) => path))];
  const missing = entries.filter((path) => !existsSync(path));
  if (missing.length > 0) {
    process.stdout.write(`size: not checked, not built yet: ${missing.join(", ")}\n`);
    return true;
  }
  // esbuild warns about every import between the files of one build; the warnings are worth reading only after a failure.
  const run = spawnSync("size-limit", [], { stdio: ["ignore", "inherit", "pipe"], maxBuffer: 64 * 1024 * 1024 });
  if (run.status !== 0) process.stderr.write(run.stderr ?? `size-limit: ${run.error?.message}\n`);
  return run.status === 0;
}

const CHECKS = {
  format: () => passes("biome", ["format", "."]),
  lint: () => passes("biome", ["check", "--formatter-enabled=false", "--error-on-warnings", "."]),
  types: checkTypes,
  deps: () =>
    passes("depcruise", [
      "--config",
      ".dependency-cruiser.cjs",
      ...["packages", "tests", "bench", "examples"].filter((folder) => existsSync(folder)),
    ]),
  proto: checkProto,
  // Broken links, and exports without documentation.
  apidocs: () => passesQuietly("typedoc", ["--emit", "none"]),
  workflows: () => passes("node", ["tools/ci/lint-workflows.mjs"]),
  exports: checkExports,
  size: checkSize,
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(CHECKS);
const unknown = wanted.filter((name) => !Object.hasOwn(CHECKS, name));
if (unknown.length > 0) {
  process.stderr.write(`no such check: ${unknown.join(", ")}. There are: ${Object.keys(CHECKS).join(", ")}\n`);
  process.exit(2);
}
const failed = [];
for (const name of wanted) {
  const startedAt = performance.now();
  const isRight = await CHECKS[name]();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${isRight ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`);
  if (!isRight) failed.push(name);
}
process.exitCode = failed.length > 0 ? 1 : 0;
