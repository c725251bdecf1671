import { formatBytes, formatTable } from "../format.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import type { ProcessView } from "./supervised-process.ts";
import type { Supervisor } from "./supervisor.ts";

/** What `cluster status` tells; the value of `--json`. */
export interface ClusterStatus {
  readonly path: string;
  readonly supervisorPid: number;
  /** Whether every process is ready. */
  readonly ready: boolean;
  /** Base URL of the gateway. */
  readonly url: string;
  /** File with an admin key. */
  readonly apiKeyFile: string;
  readonly processes: readonly ProcessView[];
}

/** The state of a cluster now. */
export function statusOf(folder: ClusterFolder, supervisor: Supervisor, supervisorPid: number): ClusterStatus {
  const { url, isReady: ready } = supervisor;
  return { path: folder.path, supervisorPid, ready, url, apiKeyFile: folder.apiKey, processes: supervisor.views() };
}

const HEADING = ["name", "state", "pid", "address", "chunks", "bytes", "disk free", "restarts", ""];

/** One line per process, below a heading; why one is not ready stands last. */
export function statusTable(processes: readonly ProcessView[]): string {
  return formatTable([HEADING, ...processes.map(rowOf)]);
}

function rowOf(view: ProcessView): readonly string[] {
  const { chunks, bytesUsed, bytesFree } = view;
  return [
    view.name,
    view.state,
    view.pid === undefined ? "-" : String(view.pid),
    view.address,
    chunks === undefined ? "-" : String(chunks),
    bytesUsed === undefined ? "-" : formatBytes(bytesUsed),
    bytesFree === undefined ? "-" : formatBytes(bytesFree),
    String(view.restarts),
    view.reason ?? "",
  ];
}

/** What happened to one process, as a line of its own. */
export function changeLine(view: ProcessView): string {
  const pid = view.pid === undefined ? "" : ` (pid ${view.pid})`;
  const reason = view.reason === undefined ? "" : `: ${view.reason}`;
  return `${view.name.padEnd(8)}  ${view.state}${pid}${reason}`;
}
