import { LIMITS } from "@ashlar/sdk/limits";
import { formatCount } from "../../observability/format.ts";
import type { Figures } from "./ask-server.ts";
import { ageText, countedAgo } from "./figure-age.ts";
import type { Finding } from "./finding.ts";
import { type Losses, lossesText } from "./losses.ts";

/** Chunks by their copies, as a gateway last counted them. */
export interface CountedCopies {
  /** The index is the number of copies on nodes that are up; no zeros at the end. */
  readonly byCopies: readonly number[];
  readonly lost: number;
  readonly short: number;
  readonly countedAtMs: number;
}

/** When a gateway last counted, in ms since the Unix epoch, also if it found no chunk on nodes; `undefined` if it has not counted yet. */
export function countTimeOf(figure: Figures | undefined): number | undefined {
  const seconds = figure?.("ashlar_chunks_counted_timestamp_seconds") ?? 0;
  return seconds === 0 ? undefined : seconds * 1000;
}

/** Reads the last count from a gateway's metrics. @returns `undefined` if there is none: nothing was counted yet, or there are no chunks on nodes. */
export function copiesOf(figure: Figures | undefined): CountedCopies | undefined {
  const countedAtMs = countTimeOf(figure);
  if (figure === undefined || countedAtMs === undefined) return undefined;
  const byCopies: number[] = [];
  for (let copies = 0; copies <= LIMITS.REPLICATION_FACTOR_MAX; copies++)
    byCopies.push(figure(`ashlar_chunks_by_copies{copies="${copies}"}`) ?? 0);
  while (byCopies.at(-1) === 0) byCopies.pop();
  if (byCopies.length === 0) return undefined;
  const [lost = 0, short = 0] = [figure("ashlar_chunks_lost"), figure("ashlar_chunks_short_of_copies")];
  return { byCopies, lost, short, countedAtMs };
}

/** The count as one line: most copies first. */
export function copiesLine({ byCopies, countedAtMs }: CountedCopies, nowMs: number): string {
  const counts = byCopies.map((count, copies) => `${copies}: ${count}`).reverse();
  return `chunks by copies on nodes that are up: ${counts.join(", ")} (${countedAgo(countedAtMs, nowMs)})`;
}

/** How many chunks were counted, and how many of them have all the copies that their layout asks for, as words. */
export function completeText({ byCopies, short, countedAtMs }: CountedCopies, nowMs: number): string {
  const total = byCopies.reduce((sum, count) => sum + count, 0);
  return `${total - short} of ${formatCount(total, "chunk")} ${total === 1 ? "has" : "have"} all copies (${countedAgo(countedAtMs, nowMs)})`;
}

/** What the count means. One from before nodes were lost says little, and says so. */
export function copiesFindings(
  copies: CountedCopies | undefined,
  nowMs: number,
  losses?: Losses | undefined,
): readonly Finding[] {
  if (copies === undefined) return [];
  const isFromBefore = losses !== undefined && copies.countedAtMs < losses.sinceMs;
  const { byCopies, lost, short, countedAtMs } = copies;
  const age = ageText(countedAtMs, nowMs);
  const [none = 0, one = 0] = byCopies;
  const unreachable = Math.max(0, none - lost);
  // Chunks of a layout that asks for one copy are not short of copies.
  const atRisk = Math.max(0, Math.min(one, short - none));
  const line = copiesLine(copies, nowMs);
  const findings: Finding[] = [
    isFromBefore
      ? {
          level: "note",
          what: `${line}, before ${lossesText(losses)} ${losses.nodeIds.length === 1 ? "was" : "were"} lost or went away`,
          why: "copies there are counted as if they were there",
          action: "gateways count again within minutes: ask again then",
        }
      : { level: "ok", what: line },
  ];
  const which = "see which objects: ashlar fsck, with the DATABASE_URL of the cluster";
  if (lost > 0) {
    findings.push({
      level: "broken",
      what: `${formatCount(lost, "chunk")} ${lost === 1 ? "has" : "have"} no copy left${age}`,
      why: "objects that have them cannot be read",
      action: `bring back the disks that were lost, or put those objects again; ${which}`,
    });
  }
  if (unreachable > 0) {
    findings.push({
      level: "broken",
      what: `${formatCount(unreachable, "chunk")} cannot be read now: all their copies are on nodes that are away${age}`,
      why: "nothing is lost, if those nodes come back with their disks",
      action: `start the nodes that are away; ${which}`,
    });
  }
  if (atRisk > 0) {
    findings.push({
      level: "warning",
      what: `${formatCount(atRisk, "chunk")} ${atRisk === 1 ? "has" : "have"} only one copy on a node that is up${age}`,
      why: "if that node is lost too, they cannot be read",
      action: `start nodes that are away, and let repair restore the copies; ${which}`,
    });
  }
  return findings;
}
