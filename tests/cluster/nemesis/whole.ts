import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MetadataStore } from "@ashlar/sdk/ports";
import { createPlacement, type Placement } from "@ashlar/sdk/ring";
import { type NemesisServers, pause, type Server } from "./servers.ts";

const POLL_MS = 250;
const LOOKS_BETWEEN_LINES = 60;
/** The registry may be away. */
const LOOK_LIMIT_MS = 5000;

/** What keeps the cluster from being whole: nothing, if every copy is where the newest layout wants it, as far as the cluster knows. */
export async function lacks({
  metadata,
  nodes,
}: Pick<NemesisServers, "metadata" | "nodes">): Promise<readonly string[]> {
  try {
    const signal = AbortSignal.timeout(LOOK_LIMIT_MS);
    const [snapshot, repairs] = await Promise.all([
      metadata.clusterSnapshot({ signal }),
      metadata.countRepairs({ signal }),
    ]);
    const known = new Map(snapshot.nodes.map((node) => [node.nodeId, node]));
    const placed = snapshot.layouts[0]?.nodes.map(({ nodeId }) => nodeId) ?? [];
    return [
      ...(snapshot.layouts.length === 1 ? [] : [`${snapshot.layouts.length} layouts are in use`]),
      ...repairs.map(
        ({ nodeId, count, claimedCount }) => `${count} repairs wait for ${nodeId}, ${claimedCount} of them claimed`,
      ),
      ...snapshot.nodes.filter(({ lostDisk }) => lostDisk !== undefined).map(({ nodeId }) => `${nodeId} lost its disk`),
      ...nodes
        .filter(({ name }) => known.get(name)?.state !== "up" || !placed.includes(name))
        .map(({ name }) => `${name} is ${known.get(name)?.state ?? "unknown"}, or in no layout`),
    ];
  } catch (error) {
    return [`the database does not answer: ${error instanceof Error ? error.message : ""}`];
  }
}

/** Waits until the cluster is whole, or the signal. Says now and then what is waited for. @returns what it still lacks. */
export async function untilWhole(
  servers: NemesisServers,
  { signal, say }: { readonly signal: AbortSignal; readonly say: (line: string) => void },
): Promise<readonly string[]> {
  for (let looks = 1; ; looks++) {
    const lacking = await lacks(servers);
    if (lacking.length === 0 || signal.aborted) return lacking;
    if (looks % LOOKS_BETWEEN_LINES === 0) say(`not whole yet: ${lacking.join("; ")}`);
    await pause(POLL_MS);
  }
}

/** Where the newest layout wants chunks. */
export async function newestPlacement(metadata: MetadataStore): Promise<Placement> {
  const [newest] = (await metadata.clusterSnapshot()).layouts;
  if (newest === undefined) throw new Error("there is no layout");
  return createPlacement(newest);
}

/** The file of a chunk in the folder of its node. */
export function chunkFile({ folder = "" }: Pick<Server, "folder">, chunkId: string): string {
  return join(folder, "chunks", chunkId.slice(0, 2), chunkId.slice(2, 4), chunkId);
}

/** The bytes of a file; `undefined` if there is none. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
