import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A cluster that the command line runs, in one folder. */
export interface Cluster extends AsyncDisposable {
  /** Address of its gateway. */
  readonly url: string;
  readonly apiKey: string;
  /** `kill -9` at once; the supervisor does not start it again. */
  kill(node: string): Promise<void>;
  start(node: string): Promise<void>;
}

/** What `ashlar cluster up --detach --json` prints. */
interface Ready {
  readonly url: string;
  readonly apiKeyFile: string;
  readonly processes: ReadonlyArray<{ readonly name: string; readonly pid: number }>;
}

/** Starts PostgreSQL, six storage nodes and a gateway; the end of the scope stops them and deletes the folder. */
export async function startCluster(path: string): Promise<Cluster> {
  const ashlar = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run("ashlar", ["cluster", ...args, "--path", path, "--json"]);
    return stdout;
  };
  const ready = await ashlar("up", "--nodes", "6", "--gateway-port", "0", "--detach");
  const { url, apiKeyFile, processes } = JSON.parse(ready) as Ready;
  return {
    url,
    apiKey: (await readFile(apiKeyFile, "utf8")).trim(),
    async kill(node) {
      process.kill(processes.find(({ name }) => name === node)?.pid ?? 0, "SIGKILL");
      await ashlar("kill", node, "--keep-down");
    },
    start: async (node) => void (await ashlar("start", node)),
    [Symbol.asyncDispose]: async () => void (await ashlar("down", "--delete", "--yes")),
  };
}
