import { createPostgresSchema } from "../support/postgres-schema.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";

/** A gateway on PostgreSQL and three nodes, each a process of its own. */
export interface SmallCluster extends AsyncDisposable {
  readonly gateway: ServerProcess;
  readonly nodes: readonly ServerProcess[];
  readonly apiKey: string;
  /** Folders of the nodes' data, in the order of the nodes. */
  readonly dataFolders: readonly string[];
  /** Where traced servers write their spans. */
  readonly traceFile: string;
}

/** How a {@link SmallCluster} starts. */
export interface SmallClusterOptions {
  /** Whether the servers run with a provider registered. */
  readonly traced: boolean;
  /** Further settings of all servers. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function startSmallCluster(options: SmallClusterOptions): Promise<SmallCluster> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = stack.use(await createTempFolder());
    const schema = await createPostgresSchema();
    stack.defer(() => schema.drop());
    const traceFile = folder.at("spans.jsonl");
    const env = (service: string): Record<string, string> => ({
      DATABASE_URL: schema.url,
      CLUSTER_KEY: "the tests' own cluster key, 32 characters",
      ...options.env,
      ...(options.traced ? traceEnv(traceFile, service) : {}),
    });
    const start = async (service: string, ...args: readonly string[]): Promise<ServerProcess> => {
      const server = await startServerProcess([...args, "--port", "0"], env(service));
      stack.defer(() => server.kill());
      return server;
    };
    const gateway = await start("gateway", "gateway");
    const names = ["node-1", "node-2", "node-3"];
    const nodes = await Promise.all(
      names.map((name) => start(name, "node", "--server-id", name, "--data-dir", folder.at(name))),
    );
    const owned = stack.move();
    return {
      gateway,
      nodes,
      apiKey: String(gateway.ready.apiKey),
      dataFolders: names.map((name) => folder.at(name)),
      traceFile,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function traceEnv(traceFile: string, service: string): Record<string, string> {
  const preload = new URL("./otel-preload.ts", import.meta.url).href;
  return { NODE_OPTIONS: `--import ${preload}`, TRACE_FILE: traceFile, TRACE_SERVICE: service };
}

/** A server's log, line by line. */
export function logLines(server: ServerProcess): readonly Readonly<Record<string, unknown>>[] {
  const lines = server.log().split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
}
