import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { CHILD_ENVIRONMENT } from "../support/server-process.ts";

/** The repository's folder. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** How an example ended. */
export interface ExampleEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  /** Both streams, in the order of arrival. */
  readonly output: string;
}

/** An example that runs. */
export interface RunningExample extends AsyncDisposable {
  /** Of the shell that the example was started from. */
  readonly pid: number;
  /** Waits until its output matches a pattern. Fails if it ends before. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
  readonly ended: Promise<ExampleEnd>;
  /** What it wrote so far. */
  output(): string;
  /** Ends it as Ctrl-C in a terminal does, and waits. */
  interrupt(): Promise<ExampleEnd>;
}

/**
 * Runs a command line in the repository's folder as a new user types it: with npm, and nothing of the tests' own environment.
 *
 * @param command for instance `npm run -s example -- curl`.
 */
export function runExample(command: string, env: Readonly<Record<string, string>> = {}): RunningExample {
  const child = spawn("bash", ["-c", command], {
    cwd: ROOT,
    env: { ...CHILD_ENVIRONMENT, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, CI: "true", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own: a terminal's Ctrl-C reaches all of it.
    detached: true,
  });
  let [stdout, output] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = once(child, "close").then(([exitCode]) => ({ exitCode: exitCode as number | null, stdout, output }));
  const interrupt = async (): Promise<ExampleEnd> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), "SIGINT");
    return await ended;
  };
  return {
    pid: child.pid ?? 0,
    ended,
    output: () => output,
    interrupt,
    async until(pattern) {
      for (;;) {
        const match = output.match(pattern);
        if (match !== null) return match;
        const end = await Promise.race([ended, new Promise<undefined>((resolve) => setTimeout(resolve, 50))]);
        if (end !== undefined) throw new Error(`ended before ${pattern}: ${output}`);
      }
    },
    async [Symbol.asyncDispose]() {
      await interrupt();
    },
  };
}

/** What the README of an example promises. */
export interface ExampleReadme {
  /** Its command lines, block after block. */
  readonly commands: readonly string[];
  /** The output that it shows, block after block. */
  readonly outputs: readonly string[];
}

/** Reads `examples/<name>/README.md`: ```sh blocks are commands, ```text blocks are output. */
export function readExampleReadme(name: string): ExampleReadme {
  const text = readFileSync(`${ROOT}examples/${name}/README.md`, "utf8");
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)\n```$/gm)];
  const of = (language: string): string[] => blocks.filter(([, is]) => is === language).map(([, , code]) => code ?? "");
  return { commands: of("sh"), outputs: of("text") };
}

/** A text without what differs from run to run: digests, etags, addresses, times and rates. */
export function masked(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<uuid>")
    .replaceAll(/\b[0-9a-f]{32,64}\b/g, "<hex>")
    .replaceAll(/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b/g, "<date>")
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:<port>")
    .replaceAll(/\b[\d.]+ [kKMG]?i?B\/s/g, "<rate>")
    .replaceAll(/\b\d+(\.\d+)? ?m?s\b/g, "<time>")
    .trim();
}
