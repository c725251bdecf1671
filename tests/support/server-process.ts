import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { ASHLAR_COMMAND } from "./ashlar-program.ts";

/** The part of the tests' own environment that a started process gets. With the cache it need not strip types that another process has stripped. */
export const CHILD_ENVIRONMENT: Readonly<Record<string, string | undefined>> = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
};

/** A server of the command line as a process of its own. */
export interface ServerProcess {
  /** The first line of its standard output: address and, at first start, credentials. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly url: string;
  readonly pid: number;
  /** Its log lines so far, one JSON object a line. */
  log(): string;
  /** Whether it is gone, by itself or stopped. */
  hasEnded(): boolean;
  /** Kills it like a crash would. */
  kill(): Promise<void>;
  /** Freezes it: it keeps its connections, but answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Stops it in order. @returns its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `ashlar <args> --json`, and waits until it tells its address. @param program instead of `ashlar`. */
export async function startServerProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program: readonly [string, ...string[]] = ASHLAR_COMMAND,
): Promise<ServerProcess> {
  const [command, ...words] = program;
  const child = spawn(command, [...words, ...args, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...CHILD_ENVIRONMENT, ...env },
  });
  const log: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => void log.push(text));
  const ready = await firstLine(child, log);
  const exited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (!exited()) {
      const exit = once(child, "exit");
      child.kill("SIGCONT");
      child.kill(signal);
      await exit;
    }
    return child.exitCode;
  };
  return {
    ready,
    url: String(ready.url),
    pid: child.pid ?? -1,
    log: () => log.join(""),
    hasEnded: exited,
    kill: async () => void (await end("SIGKILL")),
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    stop: () => end("SIGTERM"),
  };
}

async function firstLine(child: ChildProcess, log: readonly string[]): Promise<Record<string, unknown>> {
  if (child.stdout === null) throw new Error("the process has no standard output");
  const lines = createInterface({ input: child.stdout });
  const line = once(lines, "line").then(([text]) => String(text));
  const exit = once(child, "exit").then(([code]) => {
    throw new Error(`the server ended with ${String(code)} before it was ready: ${log.join("")}`);
  });
  return JSON.parse(await Promise.race([line, exit])) as Record<string, unknown>;
}
