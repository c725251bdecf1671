import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { AshlarError } from "@ashlar/sdk/errors";
import { type ChunkStore, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { testChunk } from "@ashlar/sdk/testing";
import { clusterAuthorization, createGrantKeeper } from "@ashlar/server";
import type { Finding } from "./history.ts";
import { type NemesisServers, pause, type Server } from "./servers.ts";

const PUT_BYTES = 64 * 1024;
const POLL_MS = 200;
/** A node looks at a disk that was full once a second; a busy machine takes its time. */
const ANSWER_LIMIT_MS = 60_000;

/** What {@link fillDisk} takes. */
export interface FillOptions {
  readonly servers: Pick<NemesisServers, "clusterKey">;
  readonly node: Server;
  /** Starts the node again while its disk is full. */
  readonly isRestarted: boolean;
  readonly seed: number;
  /** Waits while the disk is full. */
  readonly rest: () => Promise<void>;
}

/**
 * Fills the disk of a node to the last byte, and frees it again. Meanwhile the node must refuse chunks as DISK_FULL, also after a restart, and afterwards
 * take them by itself.
 */
export async function fillDisk(options: FillOptions): Promise<readonly Finding[]> {
  const { servers, node, isRestarted, seed, rest } = options;
  if (node.disk === undefined) throw new Error("the node has no disk of its own");
  const transport = undiciTransport();
  const { clusterKey } = servers;
  const keeper = createGrantKeeper({ clusterKey, clock: systemClock, random: systemRandom });
  const store = transport.openChunkStore({ url: node.url, authorization: clusterAuthorization(keeper, systemClock) });
  const findings: Finding[] = [];
  const expectAnswer = async (expected: string, when: string): Promise<void> => {
    const found = await answerOf(store, { expected, seed });
    if (found !== expected)
      findings.push({ kind: "wrong", key: "a chunk", expected, found, where: `${node.name}, ${when}` });
  };
  try {
    await node.disk.fill();
    if (isRestarted) {
      await node.kill();
      await node.start();
    }
    await expectAnswer("DISK_FULL", "disk full");
    await rest();
  } finally {
    await node.disk.free();
  }
  await expectAnswer("stored", "disk free again");
  await store.close();
  await transport.close();
  return findings;
}

/** What a node answers to the put of a chunk that it has not, as soon as that is what is expected. */
async function answerOf(
  store: ChunkStore,
  { expected, seed }: { readonly expected: string; readonly seed: number },
): Promise<string> {
  const limitMs = performance.now() + ANSWER_LIMIT_MS;
  for (let tries = 0; ; tries++) {
    const { chunkId, bytes } = await testChunk(PUT_BYTES, seed + tries);
    const answer = await store.putChunk(chunkId, bytes).then(
      () => "stored",
      (error: unknown) => AshlarError.from(error).code,
    );
    if (answer === expected || performance.now() > limitMs) return answer;
    await pause(POLL_MS);
  }
}
