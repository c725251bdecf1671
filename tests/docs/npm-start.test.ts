import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createConnection } from "node:net";
import { describe, expect, test } from "vitest";
import { CHILD_ENVIRONMENT } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { ROOT } from "./markdown.ts";

const START_MS = 120_000;

/** A command in the repository's folder, as a new user types it: with npm and the pinned Node, and nothing of the tests' own environment. */
function shell(command: string, env: Readonly<Record<string, string>> = {}): Running {
  const path = `${process.execPath.replace(/\/[^/]+$/, "")}:${process.env.PATH}`;
  // A process group of its own: a terminal's Ctrl-C reaches all of it.
  const child = spawn("bash", ["-c", command], {
    cwd: ROOT,
    env: { ...CHILD_ENVIRONMENT, PATH: path, ...env },
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString("utf8");
    });
  }
  const ended = once(child, "close").then(([exitCode]) => ({ exitCode: exitCode as number | null, output }));
  return {
    ended,
    async until(pattern) {
      for (;;) {
        const match = output.match(pattern);
        if (match !== null) return match;
        const end = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))]);
        if (end !== undefined) throw new Error(`ended before ${pattern}: ${output}`);
      }
    },
    interrupt: () => void process.kill(-(child.pid ?? 0), "SIGINT"),
  };
}

interface Running {
  readonly ended: Promise<{ readonly exitCode: number | null; readonly output: string }>;
  until(pattern: RegExp): Promise<RegExpMatchArray>;
  interrupt(): void;
}

describe("npm run ashlar", () => {
  test("uses the folder that it is called from, also a folder below", { timeout: START_MS }, async () => {
    await using folder = await createTempFolder();
    const put = `npm run -s ashlar -- put getting-started.md box/page --create-bucket --path ${folder.at("store")}`;
    const below = await shell(`cd docs && ${put}`).ended;
    expect(below.exitCode, below.output).toBe(0);
    const elsewhere = `cd ${folder.path} && npm --prefix ${ROOT} run -s ashlar -- ls box --path store`;
    const listed = await shell(elsewhere).ended;
    expect(listed.output).toContain("page");
  });
});

describe("npm start", () => {
  test("runs the main job, then serves; each command that it prints works; Ctrl-C ends it", {
    timeout: START_MS,
  }, async () => {
    await using folder = await createTempFolder();
    const start = shell(`npm start -- --path ${folder.at("store")} --port 0`);
    const [, url = ""] = await start.until(/address +(\S+)/);
    const [output] = await start.until(/^[\s\S]*Ctrl-C stops it/);
    const fileBytes = statSync(`${ROOT}node_modules/node/bin/node`).size;
    expect(output).toContain(`(${(fileBytes / 1e6).toFixed(1)} MB) as a stream`);
    expect(output).toMatch(/stored +\d+ chunk files in/);
    expect(output).toMatch(/verified sha256 [0-9a-f]{64}: file, store and answer agree/);
    const commands = [...output.matchAll(/^ {2}# (.+)\n {2}(.+)$/gm)].map(
      ([, label, command]) => [label, command] as const,
    );
    expect(commands.map(([label]) => label)).toEqual(["curl", "command line", "Node"]);
    const outputs: string[] = [];
    for (const [label, command = ""] of commands) {
      const run = await shell(command).ended;
      expect(run.exitCode, `${label}: ${run.output}`).toBe(0);
      outputs.push(run.output);
    }
    expect(outputs[0]).toContain('"start"');
    expect(outputs[1]).toContain("first/hello.txt  6 B");
    expect(outputs[2]).toMatch(/first\nstart/);
    start.interrupt();
    await start.ended;
    await expect(connects(url)).resolves.toBe(false);
  });

  test("with --once ends after the main job; a second start shows no credentials", { timeout: START_MS }, async () => {
    await using folder = await createTempFolder();
    const once = await shell(`npm start -- --once --path ${folder.path}`).ended;
    expect(once.exitCode, once.output).toBe(0);
    expect(once.output).not.toContain("address");
    const first = shell(`npm start -- --path ${folder.path} --port 0`);
    const [, key = ""] = await first.until(/credentials +(ashlar_\S+)/);
    first.interrupt();
    await first.ended;
    const second = shell(`npm start -- --path ${folder.path} --port 0`);
    const [output] = await second.until(/^[\s\S]*Ctrl-C stops it/);
    second.interrupt();
    await second.ended;
    expect(output).toContain("were there already");
    expect(output).toContain("shown at the first start");
    expect(output).not.toContain(key);
  });

  test("tells its usage when asked", { timeout: START_MS }, async () => {
    const run = await shell("npm start -- --help").ended;
    expect(run.exitCode, run.output).toBe(0);
    expect(run.output).toContain("usage: npm start");
  });

  test("says what is wrong with a path that is no folder, without a stack", { timeout: START_MS }, async () => {
    const run = await shell("npm start -- --path README.md").ended;
    expect(run.exitCode, run.output).toBe(2);
    expect(run.output).toContain("README.md is a file");
    expect(run.output).not.toMatch(/\n\s+at /);
  });

  test("fails on an unknown option", { timeout: START_MS }, async () => {
    const run = await shell("npm start -- --twice").ended;
    expect(run.exitCode).toBe(2);
    expect(run.output).toContain("usage: npm start");
  });
});

async function connects(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = createConnection(Number(port), hostname);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
