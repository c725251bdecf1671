/**
 * What reading costs the server: MiB that `ashlar serve` sends per second of CPU time, for GETs of whole objects of 64 MiB over plain HTTP. The
 * builds of two trees take turns.
 *
 * Run: npm run build in both trees, then
 * node tools/bootstrap.mjs exec node bench/src/read-cpu.ts OLD-TREE NEW-TREE [ROUNDS=3] [SECONDS=10]
 *
 * `wrk` reads over four keep-alive connections, so that the readers need neither Node nor a thread of the server. Without
 * `wrk`, four loops of `fetch` read.
 * Linux only: the time comes from /proc.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { median } from "./statistics.ts";

const [oldTree, newTree, roundsText = "3", secondsText = "10"] = process.argv.slice(2);
if (oldTree === undefined || newTree === undefined) throw new Error("name two trees that are built: OLD NEW");
const [rounds, seconds] = [Number(roundsText), Number(secondsText)];

const CONNECTIONS = 4;
const MIB = 1024 * 1024;
const OBJECT_BYTES = 64 * MIB;
/** Ticks of /proc/<pid>/stat in a second: USER_HZ, the same on every kernel of today. */
const TICKS_PER_SECOND = 100;

interface Figures {
  readonly mibPerCpuSecond: number;
  readonly mibPerSecond: number;
}

const figures = { old: [] as Figures[], new: [] as Figures[] };
for (let round = 0; round < rounds; round++) {
  for (const [name, tree] of [
    ["old", oldTree],
    ["new", newTree],
  ] as const) {
    const found = await measure(tree);
    figures[name].push(found);
    console.log(`round ${round + 1} ${name}: ${format(found)}`);
  }
}
const [before, after] = [medians(figures.old), medians(figures.new)];
console.log(`old, median: ${format(before)}\nnew, median: ${format(after)}`);
console.log(`new / old: ${(after.mibPerCpuSecond / before.mibPerCpuSecond).toFixed(2)} by CPU`);

function medians(all: readonly Figures[]): Figures {
  return {
    mibPerCpuSecond: median(all.map((each) => each.mibPerCpuSecond)),
    mibPerSecond: median(all.map((each) => each.mibPerSecond)),
  };
}

function format({ mibPerCpuSecond, mibPerSecond }: Figures): string {
  return `${mibPerCpuSecond.toFixed(0)} MiB per CPU second, ${mibPerSecond.toFixed(0)} MiB per second`;
}

/** One server with a store of its own: one second of reads warms it up, then reads run for `seconds`. */
async function measure(tree: string): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-read-cpu-"));
  const port = await freePort();
  const main = join(tree, "packages/server/dist/cli/main.js");
  const args = [main, "serve", "--path", join(folder, "store"), "--port", String(port), "--insecure"];
  const server = spawn(process.execPath, args, { stdio: "ignore" });
  const bucket = `http://127.0.0.1:${port}/objects/bench`;
  const object = `${bucket}/k`;
  try {
    await untilReady(`http://127.0.0.1:${port}/readyz`, server);
    await expectOk(fetch(bucket, { method: "PUT" }));
    await expectOk(fetch(object, { method: "PUT", body: randomBytes(OBJECT_BYTES) }));
    await readFor(object, 1);
    const [cpuBefore, wallBefore, sentBefore] = [await cpuSeconds(server), performance.now(), await sentBytes(port)];
    await readFor(object, seconds);
    const mib = ((await sentBytes(port)) - sentBefore) / MIB;
    const wallSeconds = (performance.now() - wallBefore) / 1000;
    return { mibPerCpuSecond: mib / ((await cpuSeconds(server)) - cpuBefore), mibPerSecond: mib / wallSeconds };
  } finally {
    const gone = once(server, "exit");
    if (server.exitCode === null && server.kill()) await gone;
    await rm(folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

async function untilReady(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server was not ready in 30 seconds");
}

async function expectOk(asked: Promise<Response>): Promise<void> {
  const answer = await asked;
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
}

/** User and system time of all threads of a process. The name in the second field may hold blanks and brackets. */
async function cpuSeconds({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** By the server's own counter, which also counts answers that were cut off at the end of the time. */
async function sentBytes(port: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const line = /^ashlar_http_sent_bytes_total\{[^}]*route="objects"[^}]*\} (\d+)$/m.exec(text);
  return Number(line?.[1] ?? 0);
}

async function readFor(url: string, forSeconds: number): Promise<void> {
  const wrk = ["-t", "1", "-c", String(CONNECTIONS), "-d", `${forSeconds}s`, url];
  try {
    await promisify(execFile)("wrk", wrk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const until = performance.now() + forSeconds * 1000;
    await Promise.all(Array.from({ length: CONNECTIONS }, () => readUntil(url, until)));
  }
}

async function readUntil(url: string, untilMs: number): Promise<void> {
  while (performance.now() < untilMs) {
    const { body } = await fetch(url);
    const reader = body?.getReader();
    while (reader !== undefined && performance.now() < untilMs) if ((await reader.read()).done) break;
    await reader?.cancel();
  }
}
