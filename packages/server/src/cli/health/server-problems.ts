import { AshlarError } from "@ashlar/sdk/errors";
import type { Transport } from "@ashlar/sdk/ports";
import { formatBytes, formatCount } from "../format.ts";
import { askReadiness } from "./ask-readiness.ts";
import { diskFinding, type Finding } from "./finding.ts";

/** What {@link findServerProblems} asks. */
export interface ServerToExamine {
  readonly url: string;
  /** Stays the caller's to close. */
  readonly transport: Transport;
  readonly signal: AbortSignal;
}

const ANSWER_MS = 5000;

/** Asks one server whether it answers, whether its dependencies do, and what its disk is like. Needs no credentials. */
export async function findServerProblems({ url, transport, signal }: ServerToExamine): Promise<readonly Finding[]> {
  const answer = await askReadiness(url, { signal, limitMs: ANSWER_MS });
  if (typeof answer === "string") {
    return [
      {
        level: "broken",
        what: `${url} does not answer: ${answer}`,
        action: "is the server running, is this its address, and does no firewall stand between?",
      },
    ];
  }
  const findings: Finding[] = Object.entries(answer.checks).map(([name, state]) => checkFinding(name, state));
  if (!answer.ready && findings.every((finding) => finding.level === "ok")) {
    findings.push({ level: "broken", what: `${url} is not ready`, action: "see its log" });
  }
  return [...findings, ...(await diskOf({ url, transport, signal }))];
}

/** States that servers tell of their dependencies, with what they mean for an operator. */
const STATES: Readonly<Record<string, Omit<Finding, "what">>> = {
  ok: { level: "ok" },
  registered: { level: "ok" },
  none: { level: "note", action: "gateways do not know it" },
  "not registered": {
    level: "warning",
    action: "start the database or the gateway that it registers with; it registers again by itself",
  },
  "read-only": { level: "warning", action: "its disk is full: delete objects, enlarge it, or add a storage node" },
  away: {
    level: "broken",
    action: "start the database, or see why the gateway cannot reach it; it connects again by itself",
  },
  "does not answer": { level: "broken", action: "it hangs: look at the database's or the disk's own logs" },
  stopping: { level: "broken", action: "it is shutting down; start it again" },
};

function checkFinding(name: string, state: string): Finding {
  const known = STATES[state] ?? { level: "broken", action: "see its log" };
  return { ...known, what: `${name}: ${state}` };
}

async function diskOf({ url, transport, signal }: ServerToExamine): Promise<readonly Finding[]> {
  const store = transport.openChunkStore({ url });
  try {
    const stats = await store.stats({ signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) });
    const disk = diskFinding("disk", stats, formatBytes);
    const chunks: Finding = {
      level: "ok",
      what: `${formatCount(stats.chunkCount, "chunk")}, ${formatBytes(stats.bytesUsed)}`,
    };
    return disk === undefined ? [chunks] : [chunks, disk];
  } catch (error) {
    return [{ level: "note", what: `its disk was not examined: ${AshlarError.from(error).message}` }];
  } finally {
    await store.close();
  }
}
