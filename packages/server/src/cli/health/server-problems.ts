import { AshlarError } from "@ashlar/sdk/errors";
import { systemClock, type Transport } from "@ashlar/sdk/ports";
import { formatBytes, formatCount } from "../../observability/format.ts";
import { askReadiness, type Figures, readFigures } from "./ask-server.ts";
import { checkFinding, clockFinding, diskFinding, type Finding } from "./finding.ts";
import { damagedMetadata } from "./folder-problems.ts";
import { type Redundancy, redundancyOf } from "./redundancy.ts";
import { scrubFindings } from "./scrubs.ts";

/** What {@link findServerProblems} asks. */
export interface ServerToExamine {
  readonly url: string;
  /** The caller closes it. */
  readonly transport: Transport;
  readonly signal: AbortSignal;
}

/** What was found about one server. */
export interface ServerExamination {
  readonly findings: readonly Finding[];
  /** It and its dependencies are ready, so it can be asked about its cluster. */
  readonly isReady: boolean;
  /** What the server tells of its cluster's copies; the registry says what that means: `redundancyFindings`. */
  readonly redundancy?: Redundancy | undefined;
}

const ANSWER_MS = 5000;

/** Examines one server: whether it and its dependencies answer, and how full its disk is. Needs no credentials. */
export async function findServerProblems({ url, transport, signal }: ServerToExamine): Promise<ServerExamination> {
  const answer = await askReadiness(url, { signal, limitMs: ANSWER_MS });
  if ("reason" in answer) {
    const finding: Finding = {
      level: "broken",
      what: `${url} does not answer: ${answer.reason}`,
      why: "nobody can use it from here",
      action:
        answer.action ?? "see whether it runs, whether this is its address, and whether a firewall blocks the way",
    };
    return { findings: [finding], isReady: false };
  }
  const findings: Finding[] = Object.entries(answer.checks).map(([name, state]) => checkFinding(name, state));
  if (!answer.ready && findings.every((finding) => finding.level === "ok")) {
    findings.push({
      level: "broken",
      what: `${url} is not ready`,
      why: "load balancers send it no requests",
      action: "see its log",
    });
  }
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const figure = await readFigures(url, limit).catch(() => undefined);
  findings.push(...clockFinding(url, answer.dateMs, systemClock.nowMs()), ...maintenanceProblems(figure));
  // A gateway reports the fullest of its disks.
  const disk = "metadata" in answer.checks ? "fullest disk" : "disk";
  findings.push(...(await diskOf(disk, { url, transport, signal })));
  return { findings, isReady: answer.ready, redundancy: redundancyOf(figure) };
}

/** Problems that background work has found; only gateways have these metrics. */
function maintenanceProblems(figure: Figures | undefined): readonly Finding[] {
  const damages = figure?.("ashlar_metadata_problems") ?? 0;
  const refusing = figure?.("ashlar_stores_refusing") ?? 0;
  return [
    ...(damages === 0 ? [] : [damagedMetadata(`${formatCount(damages, "finding")}, listed in the gateway's log`)]),
    ...(refusing === 0 ? [] : [refusingStores(refusing)]),
    ...damagedCopies(figure),
    ...scrubFindings(figure),
  ];
}

function refusingStores(count: number): Finding {
  return {
    level: "broken",
    what: `${formatCount(count, "chunk store")} ${count === 1 ? "refuses" : "refuse"} to delete for this metadata database: it is another one than they served, or an older state of it`,
    why: "the database was lost, emptied, replaced or restored to an older state; with the right one back, all chunks are still there",
    action:
      "restore the right database; or accept this one, which keeps the chunks that it does not know: ashlar fsck --accept-database",
  };
}

/** Copies that readers of a gateway found damaged. A node tells its own as a state. */
function damagedCopies(figure: Figures | undefined): readonly Finding[] {
  const isNode = figure?.("ashlar_node_chunks") !== undefined;
  const count = isNode ? 0 : (figure?.("ashlar_chunks_damaged_total") ?? 0);
  if (count === 0) return [];
  return [
    {
      level: "warning",
      what: `readers found ${formatCount(count, "damaged copy", "damaged copies")} since the gateway started`,
      why: "a disk has changed or cut what it stored, and may do so again; in a cluster they got another copy, and repair makes the damaged one again",
      action: "see in the gateway's log which node had it (replica is corrupt), and examine its disk",
    },
  ];
}

async function diskOf(name: string, { url, transport, signal }: ServerToExamine): Promise<readonly Finding[]> {
  const store = transport.openChunkStore({ url });
  try {
    const stats = await store.stats({ signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) });
    const disk = diskFinding(name, stats, formatBytes);
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
