import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./writer-process.ts", import.meta.url));

/** Starts writer-process.ts. */
export function spawnWriter(
  path: string,
  durability: string,
  name: string,
): {
  /** Keys whose commits were answered so far. */
  readonly acknowledged: readonly string[];
  /** Resolves once there are that many. */
  until(count: number): Promise<void>;
  /** Kills it at once, as a crash would. */
  kill(): Promise<void>;
} {
  const child = spawn(process.execPath, ["--conditions=ashlar-source", SCRIPT, path, durability, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const acknowledged: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => acknowledged.push(line));
  const ended = Promise.all([once(lines, "close"), once(child, "exit")]);
  return {
    acknowledged,
    async until(count) {
      while (acknowledged.length < count) {
        if (child.exitCode !== null) throw new Error("the writer process has ended");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
