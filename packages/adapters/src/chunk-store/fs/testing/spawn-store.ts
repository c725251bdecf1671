import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { StoreCommand } from "./store-process.ts";

const SCRIPT = fileURLToPath(new URL("./store-process.ts", import.meta.url));

/** A running store-process.ts. */
export interface StoreProcess {
  readonly pid: number;
  /** Sends a command without waiting for an answer. */
  tell(command: StoreCommand): void;
  /** The next line that it answers. */
  next(): Promise<unknown>;
  /** Sends a command and waits for its answer. */
  ask(command: StoreCommand): Promise<unknown>;
  /** Kills it at once, as a crash would; resolves to its answers that were not read yet. */
  kill(): Promise<unknown[]>;
  /** Lets it close its store and end. */
  end(): Promise<void>;
}

/** Starts a second process on a store folder; resolves once its store is open. */
export async function spawnStore(root: string): Promise<StoreProcess> {
  const child: ChildProcess = spawn(process.execPath, ["--conditions=ashlar-source", SCRIPT, root], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { stdin, stdout, pid } = child;
  if (stdin === null || stdout === null || pid === undefined) throw new Error("the store process did not start");
  const exited = once(child, "exit");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done) throw new Error("the store process has ended");
    return JSON.parse(line.value);
  };
  const tell = (command: StoreCommand): void => void stdin.write(`${JSON.stringify(command)}\n`);
  await next();
  return {
    pid,
    tell,
    next,
    async ask(command) {
      tell(command);
      return await next();
    },
    async kill() {
      child.kill("SIGKILL");
      const rest: unknown[] = [];
      for (let line = await lines.next(); !line.done; line = await lines.next()) rest.push(JSON.parse(line.value));
      await exited;
      return rest;
    },
    async end() {
      stdin.end();
      await exited;
    },
  };
}
