import { formatBytes, formatCount, formatDuration, formatRate } from "../../observability/format.ts";
import type { Figures } from "./ask-server.ts";
import { copiesOf, countTimeOf } from "./copies.ts";
import { ageText } from "./figure-age.ts";
import type { Finding } from "./finding.ts";
import type { Losses } from "./losses.ts";
import { movesOf } from "./moves.ts";
import { endText, expectedEndOf, workTimeOf } from "./work-times.ts";

/**
 * What the queue holds. After a change of the layout it also lists the copies that move: their chunks have all copies by the older layout that they
 * follow. `mixed`: some may be missing too, as far as the last count of copies says.
 */
export type WaitingKind = "missing" | "moving" | "mixed";

/** The repair queue, as a gateway last counted it. */
export interface WaitingRepairs {
  readonly kind: WaitingKind;
  readonly count: number;
  readonly sizeBytes: number;
  /** Copies that could not be restored in several tries. */
  readonly failingCount: number;
  /** What that gateway restored in its last round that restored any; 0: none since it started. */
  readonly bytesPerSecond: number;
  /** When it counted, in ms since the Unix epoch; `undefined` if it does not tell. */
  readonly countedAtMs?: number | undefined;
  /** When nothing will wait, at the rate of the last minutes; `undefined` if that is not known. */
  readonly expectedEndAtMs?: number | undefined;
}

/** Reads the queue from a gateway's metrics. @returns `undefined` if nothing waits, or the server does not tell. */
export function repairsOf(figure: Figures | undefined): WaitingRepairs | undefined {
  const count = figure?.("ashlar_repairs_waiting") ?? 0;
  if (figure === undefined || count === 0) return undefined;
  const [countedAtMs, expectedEndAtMs] = [workTimeOf(figure), expectedEndOf(figure)];
  return {
    kind: kindOf(figure),
    count,
    sizeBytes: figure("ashlar_repair_bytes_waiting") ?? 0,
    failingCount: figure("ashlar_repairs_failing") ?? 0,
    bytesPerSecond: figure("ashlar_repair_bytes_per_second") ?? 0,
    ...(countedAtMs !== undefined && { countedAtMs }),
    ...(expectedEndAtMs !== undefined && { expectedEndAtMs }),
  };
}

function kindOf(figure: Figures): WaitingKind {
  if (movesOf(figure) === undefined) return "missing";
  const isCounted = countTimeOf(figure) !== undefined;
  return isCounted && (copiesOf(figure)?.short ?? 0) === 0 ? "moving" : "mixed";
}

const TEXTS: Readonly<Record<WaitingKind, (count: number, size: string) => string>> = {
  missing: (count, size) => `${formatCount(count, "missing copy", "missing copies")} (${size}) wait for repair`,
  moving: (count, size) =>
    `${formatCount(count, "copy", "copies")} (${size}) wait to be made where the newest layout wants them`,
  mixed: (count, size) =>
    `${formatCount(count, "copy", "copies")} (${size}) wait to be made: missing ones, and those that move to where the newest layout wants them`,
};

/** The queue as one line, with the time that it will take as far as is known, and its age. */
export function repairsLine(waiting: WaitingRepairs, nowMs: number): string {
  const { kind, count, sizeBytes, countedAtMs } = waiting;
  return `${TEXTS[kind](count, formatBytes(sizeBytes))}${timeText(waiting, nowMs)}${ageText(countedAtMs, nowMs)}`;
}

/** What all gateways did in the last minutes says more than the last round of one of them. */
function timeText({ sizeBytes, bytesPerSecond, expectedEndAtMs }: WaitingRepairs, nowMs: number): string {
  if (expectedEndAtMs !== undefined) return endText(expectedEndAtMs, nowMs);
  if (bytesPerSecond === 0) return "";
  const leftMs = Math.max(1, Math.round(sizeBytes / bytesPerSecond)) * 1000;
  return `: about ${formatDuration(leftMs)} at ${formatRate(bytesPerSecond, 1)}, if all nodes are up`;
}

/** What it means that copies wait. While nodes are lost, copies are missing whatever an older count says, and no end is known. */
export function repairFindings(
  counted: WaitingRepairs | undefined,
  nowMs: number,
  losses?: Losses | undefined,
): readonly Finding[] {
  if (counted === undefined) return [];
  const waiting: WaitingRepairs =
    losses === undefined
      ? counted
      : {
          ...counted,
          kind: counted.kind === "moving" ? "mixed" : counted.kind,
          ...{ bytesPerSecond: 0, expectedEndAtMs: undefined },
        };
  const findings: Finding[] = [
    waiting.kind === "moving" ? movingFinding(waiting, nowMs) : missingFinding(waiting, nowMs),
  ];
  const { kind, failingCount, countedAtMs } = waiting;
  if (failingCount > 0) {
    const copies =
      kind === "missing"
        ? formatCount(failingCount, "missing copy", "missing copies")
        : formatCount(failingCount, "copy", "copies");
    findings.push({
      level: "warning",
      what: `${copies} could not be ${kind === "missing" ? "restored" : "made"} in several tries${ageText(countedAtMs, nowMs)}`,
      why: "no good copy can be read, or the node that lacks it refuses it",
      action:
        "see in the gateways' logs which chunks and why (no replica of a chunk is left, a replica could not be …)",
    });
  }
  return findings;
}

function missingFinding(waiting: WaitingRepairs, nowMs: number): Finding {
  return {
    level: "warning",
    what: repairsLine(waiting, nowMs),
    why: `${waiting.kind === "missing" ? "those chunks" : "some chunks"} have fewer copies than they should; if another node is lost, they may be lost too`,
    action:
      "start nodes that are away, make room on those whose disk is full; repair goes on by itself. For a node that is lost for good: ashlar layout --remove <id>",
  };
}

/** Nothing is missing, so nothing is wrong. */
function movingFinding(waiting: WaitingRepairs, nowMs: number): Finding {
  return {
    level: "note",
    what: repairsLine(waiting, nowMs),
    why: "their chunks have all copies where an older layout placed them: none is missing",
    action: "keep the nodes of the older layouts running until nothing is behind: ashlar layout show",
  };
}
