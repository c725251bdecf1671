import type { CheckWord } from "../../http/index.ts";
import { formatDuration } from "../../observability/format.ts";

/** One thing that was examined. `broken`: something does not work; `warning`: it may stop working soon; `note`: worth knowing. */
export interface Finding {
  readonly level: "ok" | "note" | "warning" | "broken";
  readonly what: string;
  /** Why it matters. */
  readonly why?: string | undefined;
  /** What to do about it, with the command to run where there is one. */
  readonly action?: string | undefined;
}

/** Below the first share of free space a disk is worth a warning; below the second it counts as full. */
const FREE_WARNING = 0.1;
const FREE_BROKEN = 0.01;

/** @returns how full a disk is; `undefined` if its size is not known. */
export function diskFinding(
  name: string,
  disk: { readonly bytesFree?: number | undefined; readonly bytesTotal?: number | undefined },
  describe: (bytes: number) => string,
): Finding | undefined {
  const { bytesFree, bytesTotal } = disk;
  if (bytesFree === undefined || bytesTotal === undefined || bytesTotal === 0) return undefined;
  const share = bytesFree / bytesTotal;
  const what = `${name}: ${describe(bytesFree)} of ${describe(bytesTotal)} free`;
  if (share >= FREE_WARNING) return { level: "ok", what };
  return {
    level: share < FREE_BROKEN ? "broken" : "warning",
    what,
    why: "below 16 MiB it takes no more chunks; writes then fail when too few of their nodes have room",
    action:
      "delete objects, enlarge the disk, or add a storage node and lower this one's weight: ashlar layout --weights <id>=0.5",
  };
}

/** States that servers report of their dependencies, with what they mean for an operator. */
const STATES: Readonly<Record<CheckWord, Omit<Finding, "what">>> = {
  ok: { level: "ok" },
  registered: { level: "ok" },
  none: {
    level: "note",
    why: "gateways do not know it",
    action: "start it with DATABASE_URL or --gateway to make it part of a cluster",
  },
  "not registered": {
    level: "warning",
    why: "it serves the chunks that it has, but soon counts as down",
    action: "start the database or the gateway that it registers with; it registers again by itself",
  },
  "not renewed": {
    level: "warning",
    why: "the gateway goes on with the nodes and layouts that it last saw: it does not know of nodes that joined, left or moved since",
    action: "see in the gateway's log why it cannot read the list of nodes; it tries again with each request",
  },
  refused: {
    level: "broken",
    why: "its cluster key is not that of the gateway, so the cluster does not let it in",
    action: "give it the CLUSTER_KEY (or CLUSTER_KEY_FILE) of the gateway, and start it again",
  },
  "another cluster key": {
    level: "broken",
    why: "it does not let this gateway in; the gateway reads and writes what it can on the other nodes, and copies are missing until this is fixed",
    action:
      "give both the same CLUSTER_KEY (or CLUSTER_KEY_FILE), restart the one whose key you changed, and make sure that their clocks agree within a minute",
  },
  "its clock differs": {
    level: "broken",
    why: "the clocks of the two servers differ by more than a minute, so one takes for old what the other signs; puts, gets or commits fail that need it",
    action:
      "let all machines take their time from NTP (timedatectl set-ntp true); the server's log and the metric ashlar_node_clock_ahead_seconds say by how much they differ",
  },
  "id held by another node": {
    level: "broken",
    why: "a node at another address runs under this node id, so the cluster does not let this one in",
    action:
      "give it a SERVER_ID and a DATA_DIR of its own, or stop the other node; a moved node gets in by itself half a minute after its last heartbeat",
  },
  "read-only": {
    level: "warning",
    why: "its disk is full: writes go to the other copies, as long as there are enough",
    action: "delete objects, enlarge the disk, or add a storage node",
  },
  "lost its disk": {
    level: "warning",
    why: "copies that it held are missing until repair has restored them; if another node is lost meanwhile, chunks may be lost too",
    action: "if the disk was replaced, nothing; otherwise stop the node, mount the right disk, and start it again",
  },
  away: {
    level: "broken",
    why: "nothing can be opened, listed or written; nothing is lost, and everything goes on when it is back",
    action:
      "start the database, or see in the gateway's log why it cannot be reached; the gateway connects again by itself",
  },
  "does not answer": {
    level: "broken",
    why: "requests that need it wait and then fail; nothing is lost",
    action: "see whether it runs, and look at its own logs; there is no need to restart the servers",
  },
  overloaded: {
    level: "broken",
    why: "all its request slots are taken, so it refuses requests",
    action: "see which clients call so often, or start another gateway",
  },
  "used up": {
    level: "broken",
    why: "it has no file descriptor left, or as many connections as these allow: it refuses connections, and requests fail as OVERLOADED until some are closed",
    action:
      "see which clients hold so many connections, or let it have more: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of containers",
  },
  "some were damaged": {
    level: "warning",
    why: "since its start it found copies whose bytes the disk had changed or cut; they are put aside, and repair makes them again from other nodes",
    action:
      "see in its log which (quarantined a damaged chunk), and examine the disk; if it fails, replace the node. Starting the node again ends this warning",
  },
  fails: {
    level: "broken",
    why: "the check of its chunks found many damaged ones, or no file could be read; what is on it may be lost soon",
    action:
      "see in its log which files (quarantined a damaged chunk, a chunk cannot be read) and in the system's log what the disk says; move the data to another disk, or replace the node: repair makes its copies again",
  },
  overdue: {
    level: "warning",
    why: "bytes that changed on the disk since are not noticed before somebody reads them",
    action:
      "leave the server running, or let it read faster with --scrub-rate (SCRUB_BYTES_PER_SECOND); ashlar scrub makes a pass at once",
  },
  "on a port of their own": {
    level: "note",
    why: "its own report on itself and its dependencies was not read",
    action: "ask at that port: ashlar health http://<operations host>:<operations port>",
  },
  stopping: { level: "broken", why: "it takes no new requests", action: "start it again" },
};

/** What a state means that a server reports of a dependency. The state may also be an error code, or a word that only a newer release knows. */
export function checkFinding(name: string, state: string): Finding {
  const known = isKnown(state) ? STATES[state] : UNKNOWN;
  return { ...known, what: `${name}: ${state}` };
}

const UNKNOWN: Omit<Finding, "what"> = { level: "broken", why: "it cannot do its work", action: "see its log" };

function isKnown(state: string): state is CheckWord {
  return Object.hasOwn(STATES, state);
}

/** Smaller differences may come from the time that the answer took, and from HTTP dates, which are cut to the second. */
const CLOCK_WARNING_MS = 10_000;
/** Signed permissions allow as much; see "Clocks" in docs/operations.md. */
const CLOCK_BROKEN_MS = 60_000;

/** @returns no finding if the clocks agree, or if the server does not send its time. */
export function clockFinding(name: string, dateMs: number | undefined, nowMs: number): readonly Finding[] {
  const aheadMs = dateMs === undefined ? 0 : dateMs - nowMs;
  if (Math.abs(aheadMs) < CLOCK_WARNING_MS) return [];
  return [
    {
      level: Math.abs(aheadMs) < CLOCK_BROKEN_MS ? "warning" : "broken",
      what: `the clock of ${name} is ${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"} this machine's`,
      why: "when clocks differ by a minute, servers refuse what other servers signed for them or for direct clients",
      action: "let all machines take their time from NTP (timedatectl set-ntp true)",
    },
  ];
}
