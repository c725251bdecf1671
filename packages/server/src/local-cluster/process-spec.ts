import { visibleText } from "../observability/control-characters.ts";

/**
 * `starting`: it runs and was not ready yet; `not ready`: it was ready, and its own check says no now; `restarting`: it ended by itself and waits for
 * its next start; `kept down`: on request.
 */
export type ProcessState = "starting" | "ready" | "not ready" | "restarting" | "kept down" | "stopping" | "stopped";

/** How a process is started. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Default: that of this process. */
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** What a look at a running process found. */
export interface Look {
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly reason?: string | undefined;
  readonly chunks?: number | undefined;
  readonly bytesUsed?: number | undefined;
  readonly bytesFree?: number | undefined;
}

/** A process to be kept running. */
export interface ProcessSpec {
  readonly name: string;
  readonly kind: "postgres" | "node" | "gateway";
  /** Where it is reached. */
  readonly address: string;
  /** File that takes its standard output and standard error. */
  readonly log: string;
  readonly stopSignal: NodeJS.Signals;
  /** Ends it at once, without leaving anything behind. */
  readonly endSignal: NodeJS.Signals;
  readonly launch: () => Launch;
  /** Asks the process for its state. Never rejects for what is wrong with the process, only if the signal aborts. */
  readonly look: (signal: AbortSignal) => Promise<Look>;
  /** What to do about the last words of the process, if that is known. */
  readonly advice?: (words: string) => string | undefined;
}

/** A process as status shows it. */
export interface ProcessView extends Omit<Look, "ready"> {
  readonly name: string;
  readonly kind: ProcessSpec["kind"];
  readonly state: ProcessState;
  readonly pid: number | undefined;
  readonly address: string;
  /** Starts after the first one. */
  readonly restarts: number;
  /** How much longer it is kept down; absent if it is not, or if it stays down until it is started. */
  readonly keptDownForMs: number | undefined;
  readonly log: string;
}

/** The state of one process, as one line. */
export function changeLine(view: ProcessView): string {
  const pid = view.pid === undefined ? "" : ` (pid ${view.pid})`;
  const reason = view.reason === undefined ? "" : `: ${visibleText(view.reason)}`;
  return `${view.name.padEnd(8)}  ${view.state}${pid}${reason}`;
}
