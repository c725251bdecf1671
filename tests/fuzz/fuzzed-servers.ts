import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createGrantKeeper } from "@ashlar/server";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";
import type { FuzzCredentials, FuzzTarget } from "./fuzz-request.ts";

const CLUSTER_KEY = "a cluster key for fuzzing, of 32 letters and more";
const KNOWN_BYTES = 300_000;
/** Time in which a server notices connections that were cut; a lost slot never comes back. */
const SETTLE_MAX_MS = 60_000;
const SETTLE_POLL_MS = 100;

/** A `serve` and a `node`, each a process of its own. */
export interface FuzzedServers extends AsyncDisposable {
  readonly credentials: FuzzCredentials;
  urlOf(target: FuzzTarget): string;
  /** What is wrong with the servers while no request runs: lost slots, counted failures, error lines, wrong bytes, an ended process. */
  problems(): Promise<string[]>;
  /** Resident memory by server, in MiB. */
  memoryMib(): Promise<Readonly<Record<FuzzTarget, number>>>;
}

export async function startFuzzedServers(): Promise<FuzzedServers> {
  const folder = await createTempFolder();
  const env = { CLUSTER_KEY, LOG_LEVEL: "warn", ASHLAR_DURABILITY: "os" };
  const serve = await startServerProcess(["serve", "--path", folder.at("serve"), "--port", "0"], env);
  const node = await startServerProcess(
    ["node", "--server-id", "fuzzed", "--data-dir", folder.at("node"), "--gateway", serve.url, "--port", "0"],
    env,
  );
  const servers: Readonly<Record<FuzzTarget, ServerProcess>> = { serve, node };
  const apiKey = String(serve.ready.apiKey);
  const known = testBytes(KNOWN_BYTES);
  const authorization = { authorization: `Bearer ${apiKey}` };
  const knownUrl = `${serve.url}/objects/known/known`;
  for (const bucket of ["known", "fuzz-0", "fuzz-1", "fuzz-2"]) {
    await expectOk(fetch(`${serve.url}/objects/${bucket}`, { method: "PUT", headers: authorization }));
  }
  await expectOk(fetch(knownUrl, { method: "PUT", headers: authorization, body: known }));
  const grants = createGrantKeeper({ clusterKey: CLUSTER_KEY, clock: systemClock, random: systemRandom });
  const chunkId = createHash("sha256").update(known).digest();
  const clusterGrant = await grants.issueCluster();
  const credentials: FuzzCredentials = { serve: [apiKey, apiKey, clusterGrant], node: [clusterGrant] };
  const rightBytes = async (): Promise<string[]> => {
    const answer = await fetch(knownUrl, { headers: authorization });
    const digest = createHash("sha256")
      .update(new Uint8Array(await answer.arrayBuffer()))
      .digest();
    return answer.status === 200 && digest.equals(chunkId)
      ? []
      : [`the known object is ${answer.status}, or other bytes`];
  };
  return {
    credentials,
    urlOf: (target) => servers[target].url,
    async problems() {
      const found = await Promise.all(Object.entries(servers).map(([name, server]) => serverProblems(name, server)));
      return [...found.flat(), ...(await rightBytes().catch((error: Error) => [`serve is gone: ${error.message}`]))];
    },
    memoryMib: async () => ({ serve: await residentMib(serve.pid), node: await residentMib(node.pid) }),
    async [Symbol.asyncDispose]() {
      await node.stop();
      await serve.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function serverProblems(name: string, server: ServerProcess): Promise<string[]> {
  const problems: string[] = [];
  if (server.hasEnded()) return [`${name} has ended: ${server.log().slice(-3000)}`];
  const errorLine = server
    .log()
    .split("\n")
    .find((line) => /"level":("error"|"fatal"|[56]0\b)/.test(line));
  if (errorLine !== undefined) problems.push(`${name} logged ${errorLine.slice(0, 2000)}`);
  const deadlineMs = performance.now() + SETTLE_MAX_MS;
  for (;;) {
    const text = await fetch(`${server.url}/metrics`).then(
      (answer) => answer.text(),
      () => "",
    );
    const running = Number(/^ashlar_http_requests_running (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
    if (running === 0) {
      const failures = text.matchAll(
        /^ashlar_http_failures_total\{code="(?!OVERLOADED|DEADLINE_EXCEEDED)(\w+)"\} ([1-9]\d*)$/gm,
      );
      return [...problems, ...[...failures].map(([, code, count]) => `${name} counted ${count} failures ${code}`)];
    }
    if (performance.now() > deadlineMs) return [...problems, `${name} still runs ${running} requests`];
    await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
  }
}

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
}

async function expectOk(answer: Promise<Response>): Promise<void> {
  const { status } = await answer;
  if (status >= 300) throw new Error(`preparing the servers: ${status}`);
}
