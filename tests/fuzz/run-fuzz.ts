import { type FuzzRequest, fuzzRequest } from "./fuzz-request.ts";
import type { FuzzedServers } from "./fuzzed-servers.ts";
import { problemOf } from "./judge.ts";
import { createFuzzSender, type FuzzOutcome } from "./send-request.ts";

/** One finding, with what reproduces it. */
export interface FuzzFinding {
  readonly problem: string;
  /** Absent for problems that show only after a batch. */
  readonly request?: FuzzRequest | undefined;
  readonly outcome?: FuzzOutcome | undefined;
}

export interface FuzzRun {
  readonly seed: number;
  /** Number of the first request, default 0. */
  readonly from?: number | undefined;
  readonly requests: number;
  /** Requests between two checks of the servers. */
  readonly batch: number;
  readonly concurrency: number;
  readonly servers: FuzzedServers;
  readonly onBatch?: ((done: number, memoryMib: Readonly<Record<string, number>>) => void) | undefined;
  readonly onFinding?: ((finding: FuzzFinding) => void) | undefined;
}

/** More findings than this tell nothing new. */
const FINDINGS_MAX = 50;
/** By how much resident memory may grow after the first third: a leak per request shows within some ten thousand requests. */
const GROWTH_MAX_MIB = 192;

/** Sends the requests of a seed and checks every answer, and after each batch the servers. @returns what was wrong. */
export async function runFuzz(run: FuzzRun): Promise<FuzzFinding[]> {
  const { seed, requests, batch, servers, from = 0 } = run;
  const findings: FuzzFinding[] = [];
  const report = (finding: FuzzFinding): void => {
    findings.push(finding);
    run.onFinding?.(finding);
  };
  const memory: Readonly<Record<string, number>>[] = [];
  for (let start = from; start < from + requests && findings.length < FINDINGS_MAX; start += batch) {
    await sendBatch(run, start, Math.min(start + batch, from + requests), report);
    for (const problem of await servers.problems()) {
      report({ problem: `after requests ${start} to ${start + batch - 1} of seed ${seed}: ${problem}` });
    }
    memory.push(await servers.memoryMib());
    run.onBatch?.(Math.min(start + batch - from, requests), memory.at(-1) ?? {});
  }
  for (const problem of growth(memory)) report({ problem });
  return findings;
}

async function sendBatch(
  run: FuzzRun,
  start: number,
  end: number,
  report: (finding: FuzzFinding) => void,
): Promise<void> {
  const { seed, servers } = run;
  let next = start;
  const worker = async (): Promise<void> => {
    const sender = createFuzzSender();
    while (next < end) {
      const request = fuzzRequest(seed, next++, servers.credentials);
      try {
        const outcome = await sender.send(servers.urlOf(request.target), request);
        const problem = problemOf(request, outcome);
        if (problem !== undefined) report({ problem, request, outcome });
      } catch (error) {
        report({ problem: error instanceof Error ? error.message : "no error", request });
      }
    }
    sender.close();
  };
  await Promise.all(Array.from({ length: run.concurrency }, worker));
}

function growth(memory: readonly Readonly<Record<string, number>>[]): string[] {
  const warm = memory[Math.floor(memory.length / 3)];
  const last = memory.at(-1);
  if (warm === undefined || last === undefined || memory.length < 6) return [];
  return Object.keys(last).flatMap((name) => {
    const [before = 0, after = 0] = [warm[name], last[name]];
    return after > before + GROWTH_MAX_MIB ? [`${name} grew from ${before} to ${after} MiB and did not settle`] : [];
  });
}

/** A finding in words, with the bytes of its request. */
export function describeFinding({ problem, request, outcome }: FuzzFinding, seed: number): string {
  if (request === undefined) return problem;
  const { body, raw, number, ...rest } = request;
  const lines = [
    `${problem}: request ${number} of seed ${seed} (again: npm run fuzz -- --seed ${seed} --from ${number} --requests 1)`,
    `  ${JSON.stringify(rest, (name, value) => (name === "headers" ? shownHeaders(value) : value)).slice(0, 1500)}`,
    `  body ${Buffer.from(raw ?? body)
      .toString("base64")
      .slice(0, 600)}`,
  ];
  if (outcome !== undefined) lines.push(`  answer ${JSON.stringify(outcome).slice(0, 1500)}`);
  return lines.join("\n");
}

/** The keys of a server that is gone are no secret, but of no use either. */
function shownHeaders(headers: unknown): unknown {
  const pairs = headers as FuzzRequest["headers"];
  return pairs.map(([name, value]) => [name, name === "authorization" ? `${value.slice(0, 14)}…` : value]);
}
