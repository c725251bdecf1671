import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A gateway and three nodes, each a process of its own that writes its spans to one file. */
export interface Cluster {
  readonly url: string;
  readonly apiKey: string;
  stop(): Promise<void>;
}

const NODES = ["node-1", "node-2", "node-3"];

/** Starts the processes below a folder. @param traceFile where they write their spans. */
export async function startCluster(folder: string, traceFile: string): Promise<Cluster> {
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    // The gateway started first and stops last, because the nodes tell it that they stop.
    for (const child of children.reverse()) {
      if (child.exitCode !== null || !child.kill()) continue;
      await once(child, "exit");
    }
  };
  const start = async (service: string, ...args: readonly string[]): Promise<Record<string, string>> => {
    const child = spawn("ashlar", [...args, "--port", "0", "--json"], {
      env: {
        ...process.env,
        // This is all that a server needs to be traced.
        NODE_OPTIONS: `--import ${new URL("otel.ts", import.meta.url)}`,
        TRACE_FILE: traceFile,
        SERVICE: service,
        CLUSTER_KEY: "only for this example, never elsewhere",
        LOG_LEVEL: "error",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const exit = once(child, "exit").then(() => Promise.reject(new Error(`${service} did not start`)));
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), "line"), exit]);
    exit.catch(() => {}); // it ends later, on purpose
    return JSON.parse(String(line)) as Record<string, string>;
  };
  try {
    const { url = "", apiKey = "" } = await start("gateway", "gateway", "--path", join(folder, "gateway"));
    for (const name of NODES) {
      await start(name, "node", "--server-id", name, "--data-dir", join(folder, name), "--gateway", url);
    }
    return { url, apiKey, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
