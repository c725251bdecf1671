import type { CliIo, Output } from "../cli-io.ts";
import { changeLine, statusTable } from "./cluster-status.ts";
import type { ProcessView } from "./supervised-process.ts";

/** Shows how the processes are while they run. */
export interface StatusDisplay {
  /** Something may have changed. */
  update(): void;
  /** Prints above what is redrawn. */
  print(value: unknown, text: string): Promise<void>;
  /** Leaves the last state on the screen. */
  end(): void;
}

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
    // A line that the terminal would wrap could not be erased.
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
