import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** How a program of this repository is started. */
export interface ProgramStart {
  /** Of the bench folder, such as `app/main.ts`, or an absolute path. */
  readonly file: string;
  readonly args?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Core that the process stays on, by `taskset`; default: it may use all. */
  readonly core?: number | undefined;
}

/** A server in a process of its own. */
export interface ServerProcess {
  /** The first line of its standard output, parsed. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Largest resident memory so far; `undefined` where the system does not tell. */
  peakRssBytes(): number | undefined;
  /** Kills it at once: nobody needs its data any more. */
  stop(): Promise<void>;
}

const SOURCES = "--conditions=ashlar-source";

/** Starts a server and waits for its first line. @throws if it ends before. */
export async function startServer(start: ProgramStart): Promise<ServerProcess> {
  const child = spawnProgram(start);
  const log: string[] = [];
  child.stderr?.setEncoding("utf8").on("data", (piece: string) => void log.push(piece));
  child.stdin?.end();
  const exited = once(child, "exit");
  const line = await Promise.race([
    once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line").then(([first]) => String(first)),
    exited.then(() => Promise.reject(new Error(`a server did not start: ${log.join("").slice(-2000)}`))),
  ]);
  return {
    ready: JSON.parse(line) as Record<string, unknown>,
    peakRssBytes: () => peakRssOf(child.pid),
    async stop() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await exited;
    },
  };
}

/** Runs a program that reads JSON and prints JSON. @throws if it fails; its errors go to standard error. */
export async function runProgram(start: ProgramStart, input: unknown): Promise<unknown> {
  const child = spawnProgram(start);
  child.stderr?.pipe(process.stderr, { end: false });
  child.stdin?.end(JSON.stringify(input));
  const [output, [code]] = await Promise.all([text(child.stdout as NodeJS.ReadableStream), once(child, "exit")]);
  if (code !== 0) throw new Error(`${start.file} ended with exit code ${String(code)}`);
  return JSON.parse(output);
}

function spawnProgram({ file, args = [], env = {}, core }: ProgramStart): ChildProcess {
  const path = file.startsWith("/") ? file : fileURLToPath(new URL(`../${file}`, import.meta.url));
  const command = [process.execPath, SOURCES, path, ...args];
  const [program = "", ...rest] = core === undefined ? command : ["taskset", "-c", String(core), ...command];
  const child = spawn(program, rest, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
  });
  running.add(child);
  child.once("exit", () => void running.delete(child));
  return child;
}

/** Children end with this process, however it ends. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Node caches the code that it has stripped of types, so that eight servers start in half the time. */
const COMPILE_CACHE = fileURLToPath(new URL("../../../node_modules/.cache/node-compile/", import.meta.url));

/** Linux keeps the high-water mark of each process. */
function peakRssOf(pid: number | undefined): number | undefined {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}
