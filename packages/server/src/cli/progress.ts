import type { TransferProgress } from "@ashlar/sdk";
import { visibleText } from "../observability/control-characters.ts";
import { formatBytes, formatDuration, formatRate } from "../observability/format.ts";
import type { CliIo } from "./cli-io.ts";

/** Shows the progress of a transfer. */
export interface ProgressDisplay {
  readonly onProgress: (progress: TransferProgress) => void;
  /** Erases the display. */
  end(): void;
  /** Seconds since it began. */
  seconds(): number;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 100;
/** Time between two lines where they cannot be redrawn. */
const LINE_MS = 5000;

/** One line on standard error that says how far something is. */
export interface StatusLine {
  /** Shows the line, unless the last one was shown a moment ago. It is made only if it is shown. */
  show(line: (isTerminal: boolean) => string): void;
  /** Erases it where it can be redrawn. */
  end(): void;
}

/**
 * A line that is redrawn where standard error is a terminal, otherwise a new line every five seconds: short work stays silent in scripts.
 *
 * @param options.shown false: nothing is printed.
 */
export function createStatusLine(stderr: CliIo["stderr"], options: { readonly shown: boolean }): StatusLine {
  const isTerminal = stderr.isTTY === true;
  let drawnAtMs = isTerminal ? Number.NEGATIVE_INFINITY : performance.now();
  let drawn = false;
  return {
    show(line) {
      if (!options.shown || performance.now() - drawnAtMs < (isTerminal ? REDRAW_MS : LINE_MS)) return;
      drawnAtMs = performance.now();
      drawn = true;
      const text = line(isTerminal);
      stderr.write(isTerminal ? `\r${text.slice(0, (stderr.columns ?? 80) - 1)}\x1b[K` : `${text}\n`);
    },
    end() {
      if (drawn && isTerminal) stderr.write("\r\x1b[K");
      drawn = false;
    },
  };
}

/**
 * A bar on standard error where that is a terminal, otherwise a line every five seconds: short transfers stay silent in scripts.
 *
 * @param options.shown false: measures only.
 */
export function createProgress(
  stderr: CliIo["stderr"],
  options: { readonly label: string; readonly shown: boolean },
): ProgressDisplay {
  const startedAtMs = performance.now();
  const line = createStatusLine(stderr, options);
  const elapsed = (): number => (performance.now() - startedAtMs) / 1000;
  return {
    onProgress: (progress) => line.show((isTerminal) => progressLine(options.label, progress, elapsed(), isTerminal)),
    end: line.end,
    seconds: elapsed,
  };
}

/** One state of a transfer: bar (if wanted), percentage, bytes, rate and time left; without a total, bytes and rate. */
export function progressLine(name: string, progress: TransferProgress, seconds: number, withBar: boolean): string {
  const label = visibleText(name);
  const { transferredBytes, totalBytes } = progress;
  const rate = formatRate(transferredBytes, seconds);
  if (totalBytes === undefined || totalBytes === 0) return `${label}  ${formatBytes(transferredBytes)}  ${rate}`;
  const fraction = Math.min(1, transferredBytes / totalBytes);
  const filled = Math.round(fraction * BAR_WIDTH);
  const bar = withBar ? `[${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ` : "";
  const left = transferredBytes > 0 ? (seconds * (totalBytes - transferredBytes)) / transferredBytes : undefined;
  const time = left === undefined ? "" : `  ${formatDuration(Math.round(left) * 1000)} left`;
  return `${label}  ${bar}${Math.floor(fraction * 100)} %  ${formatBytes(transferredBytes)} of ${formatBytes(totalBytes)}  ${rate}${time}`;
}
