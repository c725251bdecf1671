/**
 * Makes a bare clone runnable, then runs one command with the pinned Node and the pinned tools in front of PATH.
 *
 * Plain JavaScript for Node 20 and later, no dependencies: it runs before anything is installed.
 * `start`, `ashlar`, `example`, `build`, `test`, `check` and `exec` are what package.json's scripts call.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const PNPM = "pnpm@12.21.0";
const CACHE = join(ROOT, "node_modules", ".cache", "ashlar");
/** In dependency order: declarations of a later package are built against the earlier ones. */
const PACKAGES = ["sdk", "adapters", "server"];
const WORKSPACE_FOLDERS = ["packages", "examples"];

/** Digest of the named files' paths and contents; a file that is absent counts as empty. */
function digestOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    hash.update(`${path}\0`);
    if (existsSync(join(ROOT, path))) hash.update(readFileSync(join(ROOT, path)));
    hash.update("\0");
  }
  return hash.digest("hex");
}

function filesUnder(folder) {
  if (!existsSync(join(ROOT, folder))) return [];
  const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(ROOT.length + 1))
    .sort();
}

function workspaceManifests() {
  const nested = WORKSPACE_FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(folder, name, "package.json")),
  );
  return [
    "package.json",
    "tests/package.json",
    "bench/package.json",
    "tools/package.json",
    ...nested.filter((path) => existsSync(join(ROOT, path))).sort(),
  ];
}

function readStamp(name) {
  const path = join(CACHE, name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function writeStamp(name, text) {
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, name), text);
}

function toolEnvironment(extra = {}) {
  const front = [join(ROOT, "node_modules", "node", "bin"), join(ROOT, "node_modules", ".bin")];
  return { ...process.env, PATH: [...front, process.env.PATH].join(delimiter), ...extra };
}

/** Runs a command to its end. Its output is shown as it comes, or only when it fails. */
function run(command, args, { env = process.env, cwd = ROOT, quiet = false } = {}) {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit" });
    const output = [];
    child.stdout?.on("data", (bytes) => output.push(bytes));
    child.stderr?.on("data", (bytes) => output.push(bytes));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) return resolvePromise();
      process.stderr.write(Buffer.concat(output));
      reject(new Error(`${command} ${args.join(" ")} failed with ${signal ?? `exit code ${code}`}`));
    });
  });
}

async function step(label, work) {
  const startedAt = performance.now();
  await work();
  process.stderr.write(`${label}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
}

async function install() {
  // The version of the running Node does not count: nothing installed depends on it.
  const wanted = `${digestOf(["pnpm-lock.yaml", "pnpm-workspace.yaml", ...workspaceManifests()])} ${process.platform}-${process.arch}`;
  if (readStamp("install") === wanted && existsSync(join(ROOT, "node_modules", "node", "bin"))) return;
  process.stderr.write("installing dependencies (the first time, or after they changed) ...\n");
  // CI=true: pnpm replaces an incompatible node_modules without asking.
  const env = { ...process.env, CI: "true" };
  await step("installed", () => run("npx", ["--yes", PNPM, "install", "--frozen-lockfile"], { env, quiet: true }));
  writeStamp("install", wanted);
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Runs some work while no other process of this script does: two builds at once would clear each other's output. */
async function alone(work) {
  mkdirSync(CACHE, { recursive: true });
  const lock = join(CACHE, "build.lock");
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    // A lock of a process that has ended is removed. A new lock is empty for a moment.
    const owner = Number(existsSync(lock) ? readFileSync(lock, "utf8") : 0);
    if (owner > 0 && !isAlive(owner)) rmSync(lock, { force: true });
    else await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Builds what changed. Declarations take most of the time and running needs none, so `start` leaves them out. */
function build(options) {
  return alone(() => buildAlone(options));
}

async function buildAlone({ declarations }) {
  const shared = ["tsup.base.ts", "tsconfig.base.json", "pnpm-lock.yaml"];
  let upstream = "";
  const stale = [];
  for (const name of PACKAGES) {
    const folder = `packages/${name}`;
    const sources = filesUnder(`${folder}/src`).filter((path) => !path.endsWith(".test.ts"));
    if (sources.length === 0) continue;
    const own = digestOf([
      ...shared,
      `${folder}/package.json`,
      `${folder}/tsup.config.ts`,
      `${folder}/tsconfig.json`,
      ...sources,
    ]);
    upstream = createHash("sha256")
      .update(upstream + own)
      .digest("hex");
    const built = new Set(readStamp(`build-${name}`).split("\n"));
    const isFresh =
      existsSync(join(ROOT, folder, "dist")) &&
      (built.has(`all ${upstream}`) || (!declarations && built.has(`js ${own}`)));
    if (!isFresh) stale.push({ name, folder, stamp: declarations ? `all ${upstream}\njs ${own}` : `js ${own}` });
  }
  if (stale.length === 0) return;
  const env = toolEnvironment({ ASHLAR_BUILD_DTS: declarations ? "1" : "0" });
  const buildOne = async ({ name, folder, stamp }) => {
    await run("tsup", [], { cwd: join(ROOT, folder), env, quiet: true });
    writeStamp(`build-${name}`, stamp);
  };
  await step(`built ${stale.map(({ name }) => name).join(", ")}`, async () => {
    if (declarations) for (const target of stale) await buildOne(target);
    else await Promise.all(stale.map(buildOne));
  });
}

/** The caller's folder: npm changes to the repository's folder first, and says where it was called. */
function callersFolder() {
  const { INIT_CWD, npm_lifecycle_event } = process.env;
  return npm_lifecycle_event === undefined || INIT_CWD === undefined ? process.cwd() : INIT_CWD;
}

/** Acts like the command: passes on its streams, its signals and its exit code. */
function hand(command, args, { env = {}, cwd = ROOT } = {}) {
  const child = spawn(command, args, { cwd, env: toolEnvironment(env), stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the whole process group. If it were passed on, the command would take it for a second Ctrl-C.
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  child.on("error", (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The start scripts of examples/ by folder name. */
function exampleScripts() {
  const scripts = readdirSync(join(ROOT, "examples")).map((name) => {
    const path = join(ROOT, "examples", name, "package.json");
    return [name, existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).scripts?.start : undefined];
  });
  return Object.fromEntries(scripts.filter(([, script]) => script !== undefined));
}

/** A folder with `ashlar` in it, as npm makes it from the published package's `bin`; pnpm makes none for a package that is not built yet. */
function commandFolder() {
  const folder = join(CACHE, "bin");
  mkdirSync(folder, { recursive: true });
  const main = join(ROOT, "packages", "server", "dist", "cli", "main.js");
  writeFileSync(join(folder, "ashlar"), `#!/bin/sh\nexec node '${main}' "$@"\n`, { mode: 0o755 });
  return folder;
}

const COMMANDS = {
  async start(args) {
    await build({ declarations: false });
    hand("node", [join(ROOT, "tools", "start.ts"), ...args], { cwd: callersFolder() });
  },
  async build() {
    await build({ declarations: true });
  },
  async ashlar(args) {
    await build({ declarations: false });
    const main = join(ROOT, "packages", "server", "dist", "cli", "main.js");
    hand("node", [main, ...args], { env: { ASHLAR_PROGRAM: "npm run -s ashlar --" }, cwd: callersFolder() });
  },
  async example([name, ...args]) {
    const scripts = exampleScripts();
    const script = Object.hasOwn(scripts, name ?? "") ? scripts[name] : undefined;
    if (script === undefined) {
      throw new Error(`usage: npm run example -- <name> [arguments]\nexamples: ${Object.keys(scripts).join(", ")}`);
    }
    await build({ declarations: false });
    const cwd = join(ROOT, "examples", name);
    const path = [join(cwd, "node_modules", ".bin"), commandFolder(), toolEnvironment().PATH].join(delimiter);
    // Like npm passes arguments to a script.
    hand("sh", ["-c", `${script} "$@"`, name, ...args], { cwd, env: { PATH: path } });
  },
  async test(args) {
    // With arguments: only those tests, on the sources. Without: everything, the packed packages included.
    if (args.length > 0) return hand("vitest", ["run", ...args]);
    await build({ declarations: true });
    hand("vitest", ["run"], { env: { ASHLAR_TEST_PROGRAM: "built" } });
  },
  async coverage() {
    await build({ declarations: true });
    hand("vitest", ["run", "--coverage"], { env: { ASHLAR_TEST_PROGRAM: "built", ASHLAR_COVERAGE_BAR: "1" } });
  },
  async check(args) {
    if (args.length === 0 || args.includes("exports") || args.includes("size")) await build({ declarations: true });
    hand("node", ["tools/check.mjs", ...args]);
  },
  async exec([command, ...args]) {
    if (command === undefined) throw new Error("usage: node tools/bootstrap.mjs exec <command> [arguments]");
    hand(command, args);
  },
};

const [name = "", ...rest] = process.argv.slice(2);
try {
  if (!Object.hasOwn(COMMANDS, name))
    throw new Error(`usage: node tools/bootstrap.mjs ${Object.keys(COMMANDS).join("|")} [arguments]`);
  await install();
  await COMMANDS[name](rest);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
