import pg from "pg";
import { askReadiness, readFigures } from "../health/index.ts";
import type { Look } from "./supervised-process.ts";

const ANSWER_MS = 3000;

/** Looks at a gateway: ready when its database answers. */
export async function lookAtGateway(url: string, signal: AbortSignal): Promise<Look> {
  const answer = await askReadiness(url, { signal, limitMs: ANSWER_MS });
  if ("reason" in answer) return { ready: false, reason: answer.reason };
  return answer.ready ? { ready: true } : { ready: false, reason: reasonOf(answer.checks) };
}

/** Looks at a storage node: ready when it reads its disk and the registry knows it. Asking for the first renews its figures. */
export async function lookAtNode(url: string, signal: AbortSignal): Promise<Look> {
  const answer = await askReadiness(url, { signal, limitMs: ANSWER_MS });
  if ("reason" in answer) return { ready: false, reason: answer.reason };
  const figure = await readFigures(url, signal);
  return {
    ready: answer.ready && answer.checks.registry === "registered",
    reason: reasonOf(answer.checks),
    chunks: figure("ashlar_node_chunks"),
    bytesUsed: figure("ashlar_node_used_bytes"),
    bytesFree: figure("ashlar_node_disk_free_bytes"),
  };
}

/** Looks at PostgreSQL: ready when it answers a statement. */
export async function lookAtPostgres(databaseUrl: string): Promise<Look> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
  });
  // It may go away between two words.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("SELECT 1");
    return { ready: true };
  } catch (error) {
    return { ready: false, reason: error instanceof Error ? error.message : "it does not answer" };
  } finally {
    await client.end().catch(() => {});
  }
}

/** The dependencies that are not well; `undefined` if all are. */
function reasonOf(checks: Readonly<Record<string, string>>): string | undefined {
  const bad = Object.entries(checks).filter(([, state]) => state !== "ok" && state !== "registered");
  return bad.length === 0 ? undefined : bad.map(([name, state]) => `${name}: ${state}`).join(", ");
}
