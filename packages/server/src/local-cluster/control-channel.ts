import { chmod, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { isMainThread } from "node:worker_threads";
import { AshlarError, isErrorCode } from "@ashlar/sdk/errors";
import { systemClock } from "@ashlar/sdk/ports";
import { shares } from "@ashlar/sdk/ring";
import { fileError, isDenied, notYours } from "../files/file-error.ts";
import { formatCount } from "../observability/format.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import { type RecordedProcess, survivorsIn } from "./process-record.ts";
import type { ProcessView } from "./process-spec.ts";
import type { Supervisor } from "./supervisor.ts";

/** A request to the supervisor: one line of JSON, answered by one line. */
export type ControlRequest =
  | { readonly command: "status" }
  | {
      readonly command: "kill";
      readonly name: string;
      readonly downMs?: number | undefined;
      readonly keepDown: boolean;
    }
  | { readonly command: "start"; readonly name: string }
  | { readonly command: "add" }
  | { readonly command: "down" };

/** The answer to `status`. */
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

/** The answer to `kill` and `start`. */
export interface ProcessAnswer {
  readonly name: string;
  /** Id of the process that was started or killed; absent if the one to kill had just ended by itself. */
  readonly pid?: number | undefined;
}

/** The answer to `down`: everything was stopped, and this process ends next. */
export interface DownAnswer {
  readonly supervisorPid: number;
}

/** The answer to `add`: the node, and what each node holds from now on. */
export interface AddAnswer {
  readonly name: string;
  readonly address: string;
  readonly layoutVersion: number;
  readonly shares: ReadonlyArray<{ readonly nodeId: string; readonly totalShare: number }>;
}

/** What each request is answered with. */
interface ControlAnswers {
  readonly status: ClusterStatus;
  readonly kill: ProcessAnswer;
  readonly start: ProcessAnswer;
  readonly add: AddAnswer;
  readonly down: DownAnswer;
}

/** Takes requests. @returns what is sent back; a rejection is sent back as an error. */
export type ControlHandler = (request: ControlRequest) => Promise<unknown>;

/** A supervisor that listens. */
export interface ControlServer {
  /** Takes no more requests, and sends the answers that it has. */
  close(): Promise<void>;
}

/** What {@link createControlHandler} takes. */
export interface ControlHandlerOptions {
  readonly folder: ClusterFolder;
  readonly supervisor: Supervisor;
  /** Begins to stop the cluster. */
  readonly down: () => void;
  /** Settles when everything was stopped. */
  readonly stopped: Promise<void>;
}

/** Creates what answers the requests to the supervisor. */
export function createControlHandler({ folder, supervisor, down, stopped }: ControlHandlerOptions): ControlHandler {
  return async (request) => {
    switch (request.command) {
      case "status":
        return statusOf(folder, supervisor, process.pid);
      case "kill": {
        const target = supervisor.process(request.name);
        const pid = target.kill(request.keepDown ? Number.POSITIVE_INFINITY : request.downMs);
        await target.until(() => pid === undefined || target.pid !== pid);
        return { name: request.name, pid } satisfies ProcessAnswer;
      }
      case "start": {
        const pid = await supervisor.startProcess(request.name);
        return { name: request.name, pid } satisfies ProcessAnswer;
      }
      case "add": {
        const node = await supervisor.addNode();
        const [layout] = (await supervisor.snapshot()).layouts;
        const view = layout === undefined ? [] : shares(layout);
        return { ...node, layoutVersion: layout?.layoutVersion ?? 0, shares: view } satisfies AddAnswer;
      }
      case "down":
        down();
        await stopped;
        return { supervisorPid: process.pid } satisfies DownAnswer;
    }
  };
}

/** The state of a cluster now. */
export function statusOf(folder: ClusterFolder, supervisor: Supervisor, supervisorPid: number): ClusterStatus {
  const { url, isReady: ready } = supervisor;
  return { path: folder.path, supervisorPid, ready, url, apiKeyFile: folder.apiKey, processes: supervisor.views() };
}

const OWNER_ONLY = 0o600;
const ALL_BUT_OWNER = 0o077;
/** When everything is stopped, connections that are still open after this long are cut. */
const LAST_ANSWERS_MS = 500;

/** Listens in the folder, for its owner only. The caller holds the folder's lock, so no other process uses a socket that is left there. */
export async function serveControl(folder: ClusterFolder, handle: ControlHandler): Promise<ControlServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void answer(socket, handle);
  });
  if (process.platform !== "win32") await rm(folder.control, { force: true });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      listenPrivately(() => server.listen(folder.control, resolve));
    });
    if (process.platform !== "win32") await chmod(folder.control, OWNER_ONLY);
  } catch (error) {
    throw fileError(error, folder.control);
  }
  return {
    async close() {
      const closed = new AbortController();
      const destroyAll = (): void => {
        for (const socket of sockets) socket.destroy();
      };
      systemClock.sleep(LAST_ANSWERS_MS, { signal: closed.signal }).then(destroyAll, () => {});
      await new Promise<void>((resolve) => void server.close(() => resolve()));
      closed.abort();
    },
  };
}

/** The socket is made in the turn that sets the umask: nobody else may connect before its mode is set. Only the main thread can set the umask. */
function listenPrivately(listen: () => void): void {
  const umask = isMainThread ? process.umask(ALL_BUT_OWNER) : undefined;
  try {
    listen();
  } finally {
    if (umask !== undefined) process.umask(umask);
  }
}

async function answer(socket: Socket, handle: ControlHandler): Promise<void> {
  // The client may be gone.
  socket.on("error", () => {});
  for await (const line of createInterface({ input: socket })) {
    const reply = await handle(JSON.parse(line) as ControlRequest).then(
      (value) => ({ value }),
      (error: unknown) => {
        const { code, message, details } = AshlarError.from(error);
        return { error: { code, message, details } };
      },
    );
    socket.end(`${JSON.stringify(reply)}\n`);
    return;
  }
}

/**
 * Asks the supervisor of a folder.
 *
 * @throws {AshlarError} NODE_UNAVAILABLE if none runs there, or it goes away; the error that it answers with; CANCELED.
 */
export async function askSupervisor<Name extends ControlRequest["command"]>(
  folder: ClusterFolder,
  request: ControlRequest & { readonly command: Name },
  signal: AbortSignal,
): Promise<ControlAnswers[Name]> {
  const socket = connect({ path: folder.control });
  const abort = (): void => void socket.destroy(AshlarError.from(signal.reason));
  signal.addEventListener("abort", abort, { once: true });
  try {
    const lines = createInterface({ input: socket });
    // The interface passes on the socket's errors, which are handled below.
    lines.on("error", () => {});
    const line = await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(awayError(folder, undefined, "the supervisor went away")));
      socket.write(`${JSON.stringify(request)}\n`);
    });
    const { value, error } = JSON.parse(line) as { readonly value?: unknown; readonly error?: SentError };
    if (error !== undefined) throw receivedError(error);
    return value as ControlAnswers[Name];
  } catch (error) {
    if (isDenied(error)) throw notYours(error, folder.path);
    if (!isAway(error)) throw error;
    throw awayError(folder, error);
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}

/** The error when nobody answers: nothing runs, or only what a killed supervisor left. The hint to the user depends on `details`. */
function awayError(folder: ClusterFolder, cause: unknown, what = `no cluster runs in ${folder.path}`): AshlarError {
  const survivors = survivorsIn(folder);
  const message = survivors.length === 0 ? what : survivorsText(folder, survivors);
  const details = { clusterPath: folder.path, survivors: String(survivors.length) };
  return new AshlarError("NODE_UNAVAILABLE", message, { cause, details });
}

function survivorsText({ path }: ClusterFolder, survivors: readonly RecordedProcess[]): string {
  const run = formatCount(survivors.length, "process of its cluster still runs", "processes of its cluster still run");
  const names = survivors.map(({ name, pid }) => `${name} (pid ${pid})`).join(", ");
  return `the supervisor of ${path} is gone, and ${run}, which nobody starts again: ${names}`;
}

/** Whether an error says that no supervisor listens. */
function isAway(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && ["ENOENT", "ECONNREFUSED", "ENOTDIR"].includes(String(error.code))
  );
}

interface SentError {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

function receivedError({ code, message, details }: SentError): AshlarError {
  return new AshlarError(isErrorCode(code) ? code : "INTERNAL", message, { details });
}
