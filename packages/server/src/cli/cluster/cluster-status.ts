import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatDuration, formatTable } from "../format.ts";
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

const HEADING = ["name", "state", "pid", "address", "chunks", "bytes", "disk free", "restarts"];
const NOTE_INDENT = "  ";
const NOTE_COLUMNS_MIN = 20;

/**
 * One line per process, below a heading; why one is not ready stands below it.
 *
 * @param columns width of the screen; then nothing is wider, where that can be: addresses become ports, and notes several lines.
 */
export function statusTable(processes: readonly ProcessView[], columns: number = Number.POSITIVE_INFINITY): string {
  const lines = tableOf(processes, "address").split("\n");
  const isWide = Math.max(...lines.map((line) => line.length)) > columns;
  const [heading = "", ...rows] = isWide ? tableOf(processes, "port").split("\n") : lines;
  const notes = processes.map((view) => wrapped(noteOf(view), Math.max(NOTE_COLUMNS_MIN, columns)));
  return [heading, ...rows.flatMap((row, index) => [row, ...(notes[index] ?? [])])].join("\n");
}

function tableOf(processes: readonly ProcessView[], where: "address" | "port"): string {
  const heading = HEADING.map((title) => (title === "address" ? where : title));
  return formatTable([heading, ...processes.map((view) => rowOf(view, where))]);
}

function rowOf(view: ProcessView, where: "address" | "port"): readonly string[] {
  const { address, chunks, bytesUsed, bytesFree } = view;
  return [
    view.name,
    view.state,
    view.pid === undefined ? "-" : String(view.pid),
    where === "address" ? address : address.slice(address.lastIndexOf(":") + 1),
    chunks === undefined ? "-" : String(chunks),
    bytesUsed === undefined ? "-" : formatBytes(bytesUsed),
    bytesFree === undefined ? "-" : formatBytes(bytesFree),
    String(view.restarts),
  ];
}

function noteOf({ reason, keptDownForMs }: ProcessView): string {
  return keptDownForMs === undefined ? visibleText(reason ?? "") : `for another ${formatDuration(keptDownForMs)}`;
}

/** At words where there are any. */
function wrapped(text: string, columns: number): readonly string[] {
  const width = columns - NOTE_INDENT.length;
  const lines: string[] = [];
  for (let rest = text; rest !== ""; ) {
    const space = rest.length > width ? rest.lastIndexOf(" ", width) : rest.length;
    const end = space > 0 ? space : width;
    lines.push(`${NOTE_INDENT}${rest.slice(0, end)}`);
    rest = rest.slice(end).trimStart();
  }
  return lines;
}

/** What happened to one process, as a line of its own. */
export function changeLine(view: ProcessView): string {
  const pid = view.pid === undefined ? "" : ` (pid ${view.pid})`;
  const reason = view.reason === undefined ? "" : `: ${visibleText(view.reason)}`;
  return `${view.name.padEnd(8)}  ${view.state}${pid}${reason}`;
}
