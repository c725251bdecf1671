import { AshlarError } from "@ashlar/sdk";
import { ANSWER_MS } from "../answer-limit.ts";
import type { Connections, Way } from "../connections.ts";
import { formatCount } from "./format.ts";

/** How the page reaches the store, in words. Asks the store, so that it is true. */
export async function describeWay(connections: Connections, way: Way): Promise<string> {
  const client = await connections.client(way);
  const gateway = new URL(connections.gatewayUrl).host;
  const nodes = await nodeCount(client);
  if (way.seat === "gateway") return `through the gateway ${gateway}`;
  if (nodes === 0) return `through ${gateway}, which has no separate storage nodes`;
  return `straight to ${formatCount(nodes, "storage node")}, metadata from ${gateway}`;
}

async function nodeCount(client: Awaited<ReturnType<Connections["client"]>>): Promise<number> {
  try {
    const { nodes } = await client.cluster({ timeoutMs: ANSWER_MS });
    return nodes.filter(({ state }) => state === "up").length;
  } catch (error) {
    if (AshlarError.is(error, "UNSUPPORTED")) return 0;
    throw error;
  }
}
