import { formatBytes, formatCount, formatDuration, formatRate } from "../../observability/format.ts";
import type { Figures } from "./ask-server.ts";
import type { Finding } from "./finding.ts";

/** The repair queue, as a gateway saw it after its last round of repair. */
export interface WaitingRepairs {
  readonly count: number;
  readonly sizeBytes: number;
  /** Copies that could not be restored in several tries. */
  readonly failingCount: number;
  /** What that gateway restored in its last round that restored any; 0: none since it started. */
  readonly bytesPerSecond: number;
}

/** Reads the queue from a gateway's metrics. @returns `undefined` if nothing waits, or the server does not tell. */
export function repairsOf(figure: Figures | undefined): WaitingRepairs | undefined {
  const count = figure?.("ashlar_repairs_waiting") ?? 0;
  if (figure === undefined || count === 0) return undefined;
  return {
    count,
    sizeBytes: figure("ashlar_repair_bytes_waiting") ?? 0,
    failingCount: figure("ashlar_repairs_failing") ?? 0,
    bytesPerSecond: figure("ashlar_repair_bytes_per_second") ?? 0,
  };
}

/** The queue as one line, with the time that it will take at the rate of the last round. */
export function repairsLine({ count, sizeBytes, bytesPerSecond }: WaitingRepairs): string {
  const line = `${formatCount(count, "missing copy", "missing copies")} (${formatBytes(sizeBytes)}) wait for repair`;
  if (bytesPerSecond === 0) return line;
  const leftMs = Math.max(1, Math.round(sizeBytes / bytesPerSecond)) * 1000;
  return `${line}: about ${formatDuration(leftMs)} at ${formatRate(bytesPerSecond, 1)}, if all nodes are up`;
}

/** What it means that copies wait. */
export function repairFindings(waiting: WaitingRepairs | undefined): readonly Finding[] {
  if (waiting === undefined) return [];
  const findings: Finding[] = [
    {
      level: "warning",
      what: repairsLine(waiting),
      why: "those chunks have fewer copies than they should; if another node is lost, they may be lost too",
      action:
        "start nodes that are away, make room on those whose disk is full; repair goes on by itself. For a node that is lost for good: ashlar layout --remove <id>",
    },
  ];
  const { failingCount } = waiting;
  if (failingCount > 0) {
    findings.push({
      level: "warning",
      what: `${formatCount(failingCount, "missing copy", "missing copies")} could not be restored in several tries`,
      why: "no good copy can be read, or the node that lacks it refuses it",
      action:
        "see in the gateways' logs which chunks and why (no replica of a chunk is left, a replica could not be …)",
    });
  }
  return findings;
}
