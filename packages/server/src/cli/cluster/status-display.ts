import { type ClusterWatcher, changeLine, type ProcessView } from "../../local-cluster/index.ts";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatDuration, formatTable } from "../../observability/format.ts";
import type { CliIo, Output } from "../cli-io.ts";

/** Shows the state of the processes while they run; at the end the last state stays on the screen. */
export type StatusDisplay = Pick<ClusterWatcher, "update" | "end"> & {
  /** Prints above the table that is redrawn. */
  print(value: unknown, text: string): Promise<void>;
};

const REDRAW_MS = 1000;

/** One line per process, redrawn each second where standard output is a terminal, otherwise a line per change. */
export function createStatusDisplay(io: CliIo, output: Output, views: () => readonly ProcessView[]): StatusDisplay {
  return io.stdout.isTTY === true && !output.json ? terminalDisplay(io, output, views) : lineDisplay(output, views);
}

function lineDisplay(output: Output, views: () => readonly ProcessView[]): StatusDisplay {
  const shown = new Map<string, string>();
  return {
    update() {
      for (const view of views()) {
        const line = changeLine(view);
        if (view.state === "stopped" && !shown.has(view.name)) continue;
        if (shown.get(view.name) === line) continue;
        shown.set(view.name, line);
        void output.result({ event: "process", ...view }, line).catch(() => {});
      }
    },
    print: (value, text) => output.result(value, text),
    end: () => {},
  };
}

function terminalDisplay(io: CliIo, output: Output, views: () => readonly ProcessView[]): StatusDisplay {
  const { stdout } = io;
  let drawnLines = 0;
  const erase = (): string => (drawnLines === 0 ? "" : `\x1b[${drawnLines}A\x1b[J`);
  const draw = (): void => {
    const columns = (stdout as { readonly columns?: number }).columns ?? 80;
    // A line that the terminal wraps takes several rows, but `erase` counts one.
    const lines = statusTable(views(), columns - 1)
      .split("\n")
      .map((line) => line.slice(0, columns - 1));
    stdout.write(`${erase()}${lines.join("\n")}\n`);
    drawnLines = lines.length;
  };
  const timer = setInterval(draw, REDRAW_MS);
  return {
    update: draw,
    async print(value, text) {
      stdout.write(erase());
      drawnLines = 0;
      await output.result(value, text);
      draw();
    },
    end() {
      clearInterval(timer);
      draw();
    },
  };
}

const HEADING = ["name", "state", "pid", "address", "chunks", "bytes", "disk free", "restarts"];
const NOTE_INDENT = "  ";
const NOTE_COLUMNS_MIN = 20;

/**
 * A heading, then one line per process. The reason why a process is not ready is below its line.
 *
 * @param columns width of the screen. To keep lines within it, addresses become ports, and notes get several lines.
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

/** Cut into indented lines, between words where possible. */
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
