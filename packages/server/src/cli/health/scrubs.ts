import { formatCount, formatShare, formatTime } from "../../observability/format.ts";
import type { Figures } from "./ask-server.ts";
import type { Finding } from "./finding.ts";

/** What the figures of a server say about the check of its chunks. Servers that hold no chunks have no such figures. */
export function scrubFindings(figure: Figures | undefined): readonly Finding[] {
  const periodSeconds = figure?.("ashlar_scrub_period_seconds");
  if (figure === undefined || periodSeconds === undefined) return [];
  // A node tells its own trouble as states.
  const isNode = figure("ashlar_node_chunks") !== undefined;
  const lostCount = isNode ? 0 : (figure("ashlar_scrub_lost_chunks") ?? 0);
  return [
    checkedFinding(figure, periodSeconds, isNode),
    ...(lostCount === 0 ? [] : [lostFinding(lostCount)]),
    ...(isNode || figure("ashlar_scrub_disk_failing") !== 1 ? [] : [DISK_FAILS]),
  ];
}

function checkedFinding(figure: Figures, periodSeconds: number, isNode: boolean): Finding {
  if (periodSeconds === 0) {
    return {
      level: "note",
      what: "its chunks are not checked by themselves",
      why: "bytes that change on the disk are noticed only when somebody reads them",
      action: "start it with a --scrub-period (SCRUB_PERIOD_MS) other than 0s, or run: ashlar scrub",
    };
  }
  const endedSeconds = figure("ashlar_scrub_last_pass_timestamp_seconds") ?? 0;
  const share = formatShare(figure("ashlar_scrub_progress_ratio") ?? 0);
  const what =
    endedSeconds === 0
      ? `the first check of all chunks is at ${share}`
      : `all chunks were checked, the last time on ${formatTime(endedSeconds * 1000)} UTC`;
  if (isNode || figure("ashlar_scrub_overdue") !== 1) return { level: "ok", what };
  return {
    level: "warning",
    what: `${what}; that is overdue`,
    why: "bytes that changed on the disk since are not noticed before somebody reads them",
    action: "let it read faster with --scrub-rate (SCRUB_BYTES_PER_SECOND), or run: ashlar scrub",
  };
}

function lostFinding(count: number): Finding {
  return {
    level: "broken",
    what: `${formatCount(count, "chunk")} ${count === 1 ? "was" : "were"} damaged on the disk, and there is no other copy`,
    why: "objects that have these chunks cannot be read as a whole",
    action:
      "see which objects in the server's log (an object has lost chunks), or with ashlar fsck; put them again or restore them from a backup, and examine the disk",
  };
}

const DISK_FAILS: Finding = {
  level: "broken",
  what: "the disk fails: the check of the chunks found many damaged ones, or no file could be read",
  why: "what is on it may be lost soon",
  action: "copy the folder to another disk, and see in the system's log what this one says",
};
