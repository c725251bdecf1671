import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A server of the `ashlar` command line, in a separate process. */
export interface AshlarProcess {
  /** What it printed when it was ready: its address, and at a first start its first API key. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly url: string;
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** The program that `npm install @ashlar/server` puts into the path as `ashlar`. */
const PROGRAM = ((): string => {
  const cli = import.meta.resolve("@ashlar/server/cli");
  return fileURLToPath(new URL(cli.endsWith(".ts") ? "./main.ts" : "./main.js", cli));
})();

/** Starts `ashlar <args>` and waits until it is ready. Its log lines go to standard error. */
export async function startAshlar(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<AshlarProcess> {
  const child = run(args, env);
  const ended = once(child, "exit").then(() => {});
  const ready = await readyLine(child, args);
  return {
    ready,
    url: String(ready.url),
    pid: child.pid ?? -1,
    ended,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Runs `ashlar <args>` to its end. @returns the JSON that it printed. */
export async function runAshlar(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, unknown>>> {
  return await readyLine(run(args, env), args);
}

function run(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, PROGRAM, ...args, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
}

/** The line of its output that has the result; a cluster prints a line for each of its processes before. */
function readyLine(child: ChildProcess, args: readonly string[]): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error("the process has no standard output");
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`ashlar ${args[0]} ended with ${String(code)} before it was ready`));
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as Record<string, unknown>;
      if (told.event === undefined || told.event === "ready") resolve(told);
    });
  });
}
