import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ASHLAR_COMMAND, NODEJS_ARGUMENTS } from "../support/ashlar-program.ts";
import { freePort, freePortPrefix } from "../support/free-ports.ts";
import { type CodeBlock, ROOT } from "./markdown.ts";

/** What a page runs with. */
export interface PageOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly blocks: readonly CodeBlock[];
  /** Replaces the page's PostgreSQL address. */
  readonly databaseUrl?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a page went. */
export interface PageResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  /** Both streams in the order of arrival, with a line before each block. */
  readonly transcript: string;
}

/**
 * Runs the blocks of a page as one shell script, so that later blocks find what earlier ones made: shell as it is, TypeScript under Node.
 * Free ports and the given database address replace those of the page; `ashlar` is the command line of the sources.
 */
export async function runPage(options: PageOptions): Promise<PageResult> {
  const { folder } = options;
  await prepare(folder);
  const replace = await replacements(options.databaseUrl);
  const steps = await Promise.all(options.blocks.map((block) => stepOf(folder, block, replace)));
  const script = join(folder, "page.sh");
  await writeFile(script, ["set -euo pipefail", TRAP, ...steps].join("\n"));
  const child = spawn("bash", [script], {
    cwd: folder,
    env: {
      PATH: `${join(folder, "bin")}:${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: folder,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, transcript] = ["", ""];
  child.stdout.on("data", (bytes: Buffer) => {
    stdout += bytes.toString("utf8");
    transcript += bytes.toString("utf8");
  });
  child.stderr.on("data", (bytes: Buffer) => {
    transcript += bytes.toString("utf8");
  });
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { exitCode, stdout, transcript };
}

/** Everything that a page leaves running ends with it. */
const TRAP = "trap 'for job in $(jobs -p); do kill -KILL \"$job\" 2> /dev/null || true; done' EXIT";

async function prepare(folder: string): Promise<void> {
  const bin = join(folder, "bin");
  await mkdir(bin, { recursive: true });
  const commands = { ashlar: ASHLAR_COMMAND, node: [process.execPath, ...NODEJS_ARGUMENTS] };
  for (const [name, words] of Object.entries(commands)) {
    const command = words.map((word) => `'${word}'`).join(" ");
    await writeFile(join(bin, name), `#!/bin/sh\nexec ${command} "$@"\n`);
    await chmod(join(bin, name), 0o755);
  }
  await symlink(join(ROOT, "tests", "node_modules"), join(folder, "node_modules"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }\n');
  await writeFile(join(folder, "cat.jpg"), Buffer.alloc(5_000_000, "a picture of a cat "));
}

async function replacements(databaseUrl: string | undefined): Promise<(text: string) => string> {
  const gatewayPort = String(await freePort());
  const nodePrefix = await freePortPrefix();
  return (text) =>
    text
      .replaceAll(/\b9000\b/g, gatewayPort)
      .replaceAll(/\b5005(?=\d\b|\$i\b)/g, nodePrefix)
      .replaceAll("postgres://ashlar:secret@127.0.0.1:5432/ashlar", () => `'${databaseUrl ?? "no database"}'`);
}

async function stepOf(folder: string, block: CodeBlock, replace: (text: string) => string): Promise<string> {
  const code = replace(block.code);
  const mark = `echo '--- line ${block.line}' >&2`;
  if (block.language === "sh") return `${mark}\n${code}`;
  const file = `line-${block.line}.${block.language}`;
  await writeFile(join(folder, file), code);
  return `${mark}\nnode ${file}`;
}
