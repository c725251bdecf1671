import { mkdir } from "node:fs/promises";
import { type CheckOptions, checkCopies, checkObjects } from "./check.ts";
import { BUCKET, createLedger, type Ledger, runClients } from "./clients.ts";
import { createContents } from "./contents.ts";
import { createFaultRecord, type FaultRecord, runFaults, stopIfUnneeded } from "./faults.ts";
import { describeFinding } from "./history.ts";
import { NemesisServers, pause } from "./servers.ts";
import { lacks, untilWhole } from "./whole.ts";

/** What {@link runNemesis} takes. */
export interface NemesisOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Gets a line for each fault and each step. */
  readonly say: (line: string) => void;
  /** Folder for the logs of all servers. */
  readonly logs?: string | undefined;
}

/** What a run found, and its figures. */
export interface NemesisReport {
  /** Empty: everything that was acknowledged is there, and nothing else. */
  readonly problems: readonly string[];
  readonly figures: string;
}

/** Claims of a gateway that was killed end after two minutes, and what failed is tried again after half a minute, then after twice as long. */
const WHOLE_LIMIT_MS = 6 * 60_000;
/** Before the first fault, so that there is something to lose. */
const WARM_UP_MS = 5000;
const WRITES_PER_SECOND_MAX = 25;
/** About 2.5 new chunks of 64 KiB a write, three copies each, which are kept for a day: 6 GiB at most. */
const WRITES_MAX = 12_000;

/** Runs clients and faults against a cluster of its own for some time, then looks whether everything is there. */
export async function runNemesis(options: NemesisOptions): Promise<NemesisReport> {
  const { seed, seconds, logs } = options;
  const servers = await NemesisServers.start();
  try {
    await servers.seats[0]?.client.createBucket({ bucket: BUCKET, ifMissing: true });
    const say = timed(options.say);
    if (!servers.hasDisks) say("no disk is filled: that needs the right to mount one");
    const parts = { servers, ledger: createLedger(), contents: createContents(seed), record: createFaultRecord() };
    await runFor(seconds, parts, { ...options, say });
    say("faults and clients have ended");
    const report = await judge(parts, { ...options, say });
    if (logs !== undefined) {
      await mkdir(logs, { recursive: true });
      await servers.writeLogs(logs);
    }
    return report;
  } finally {
    await servers.dispose();
  }
}

function timed(say: (line: string) => void): (line: string) => void {
  const beganAtMs = performance.now();
  return (line) => say(`${((performance.now() - beganAtMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

async function runFor(
  seconds: number,
  { servers, ledger, contents, record }: CheckOptions,
  { seed, say }: NemesisOptions,
): Promise<void> {
  const clients = new AbortController();
  const running = runClients({
    ...{ seed, seats: servers.seats, contents, ledger, signal: clients.signal },
    writesPerSecond: Math.min(WRITES_PER_SECOND_MAX, WRITES_MAX / seconds),
  });
  try {
    await pause(WARM_UP_MS);
    await runFaults({ servers, seed, seconds, record, say, signal: AbortSignal.timeout(seconds * 1000) });
  } finally {
    ledger.gaps.reads.end();
    ledger.gaps.writes.end();
    clients.abort();
    await running;
  }
}

async function judge(parts: CheckOptions, options: NemesisOptions): Promise<NemesisReport> {
  const { servers, ledger, record } = parts;
  const { say } = options;
  const crashed = servers.all.filter((server) => server.hasCrashed).map(({ name }) => `${name} ended by itself`);
  const wholeSeconds = async (): Promise<{ readonly seconds: number; readonly lacking: readonly string[] }> => {
    let lacking = await untilWhole(servers, { signal: AbortSignal.timeout(WHOLE_LIMIT_MS), say });
    for (const node of [...servers.leaving]) if (lacking.length === 0) await stopIfUnneeded(servers, node);
    lacking = await lacks(servers);
    return { seconds: (performance.now() - record.lastEndedAtMs) / 1000, lacking };
  };
  const first = await wholeSeconds();
  say(`whole: ${first.lacking.join("; ") || "yes"}`);
  const objects = await checkObjects(parts);
  say("every object was read through every seat");
  // Readers may have met copies that are missing.
  const second = await wholeSeconds();
  const copies = await checkCopies(parts);
  const left = await lacks(servers);
  const ends = await servers.stop();
  const findings = [
    ...new Set([...ledger.findings, ...record.findings, ...objects, ...copies.findings].map(describeFinding)),
  ];
  const notWhole = [...new Set([...first.lacking, ...second.lacking, ...left])].map((lack) => `not whole: ${lack}`);
  const problems = [...findings, ...notWhole, ...crashed, ...ends];
  const facts = { findings, copies, wholeSeconds: first.seconds };
  return { problems, figures: figuresOf(options, { ledger, record, ...facts }) };
}

interface Facts {
  readonly ledger: Ledger;
  readonly record: FaultRecord;
  readonly findings: readonly string[];
  readonly copies: { readonly chunkCount: number; readonly receiptsOfLostDisks: number };
  readonly wholeSeconds: number;
}

function figuresOf({ seed, seconds }: NemesisOptions, facts: Facts): string {
  const { ledger, record, findings, copies, wholeSeconds } = facts;
  const { damaged, met, putAgain, unwanted } = record.healing;
  const lost = findings.filter((finding) => finding.startsWith("lost")).length;
  const gap = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return [
    `seed ${seed}, ${seconds} s`,
    `operations: ${listed(ledger.counts)}`,
    `errors: ${listed(ledger.codes)}`,
    `faults: ${listed(record.counts)}`,
    `damaged copies: ${damaged}, restored because readers, writers or scrubs met them: ${met}, by putting the content again: ${putAgain}, of which no layout wanted ${unwanted}`,
    `chunks: ${copies.chunkCount}, copies missing since a receipt of a lost disk: ${copies.receiptsOfLostDisks}`,
    `longest without a write: ${gap(ledger.gaps.writes.longestMs())}, without a read: ${gap(ledger.gaps.reads.longestMs())}`,
    `whole ${wholeSeconds.toFixed(1)} s after the last fault`,
    `lost ${lost}, wrong ${findings.length - lost}`,
  ].join("\n");
}

function listed(counts: ReadonlyMap<string, number>): string {
  return (
    [...counts]
      .sort()
      .map(([what, count]) => `${what} ${count}`)
      .join(", ") || "none"
  );
}
