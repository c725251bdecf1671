import { randomBytes } from "node:crypto";
import { direct } from "@ashlar/adapters/node";
import { createClient, type ObjectClient } from "@ashlar/sdk";
import { createPostgresSchema } from "../support/postgres-schema.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { digestOf } from "../support/test-bytes.ts";
import { type ExampleProcess, startExample } from "./example-process.ts";

/** The bucket that the example uses. */
export const BUCKET = "browser-example";
const NODE_COUNT = 6;

/** All that a listing yields. */
export async function allOf<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** PostgreSQL, a gateway and six storage nodes as processes, and the example's app server in front of them. */
export interface PageCluster {
  readonly example: ExampleProcess;
  readonly gateway: ServerProcess;
  readonly nodes: readonly ServerProcess[];
  /** A client in Node, to see what the page has done. */
  readonly client: ObjectClient;
  /** Size and SHA-256 of an object, as Node reads it. */
  digestOf(key: string): Promise<{ readonly sha256: string; readonly sizeBytes: number }>;
  close(): Promise<void>;
}

export async function startPageCluster(exampleArgs: readonly string[] = []): Promise<PageCluster> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).toReversed()) await each();
  };
  try {
    const [schema, folder] = [await createPostgresSchema(), await createTempFolder()];
    closers.push(
      () => schema.drop(),
      () => folder.remove(),
    );
    const env = {
      DATABASE_URL: schema.url,
      CLUSTER_KEY: randomBytes(32).toString("hex"),
      CORS_ORIGINS: "*",
      LOG_LEVEL: "warn",
      ASHLAR_DURABILITY: "os",
    };
    const start = async (args: readonly string[]): Promise<ServerProcess> => {
      const server = await startServerProcess(args, env);
      closers.push(() => server.kill());
      return server;
    };
    const gateway = await start(["gateway", "--port", "0"]);
    const nodes = await Promise.all(
      Array.from({ length: NODE_COUNT }, (_, index) =>
        start(["node", "--server-id", `node-${index + 1}`, "--data-dir", folder.at(`${index + 1}`), "--port", "0"]),
      ),
    );
    const apiKey = String(gateway.ready.apiKey);
    const example = await startExample(["--gateway", gateway.url, "--path", folder.at("example"), ...exampleArgs], {
      ASHLAR_API_KEY: apiKey,
    });
    closers.push(() => example.stop());
    const client = createClient(direct({ url: gateway.url, apiKey }));
    closers.push(() => client.close());
    return {
      ...{ example, gateway, nodes, client, close },
      digestOf: async (key) => digestOf(await client.getObject({ bucket: BUCKET, key })),
    };
  } catch (error) {
    await close();
    throw error;
  }
}
