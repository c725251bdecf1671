import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkRef } from "@ashlar/sdk/ports";
import type { GatewayContext } from "../gateway-context.ts";
import type { ProvenChunk } from "./check-receipts.ts";

/**
 * Finds out which stores hold a chunk, and claims it there: how an insecure gateway checks a commit for which nobody signed receipts.
 *
 * @throws {AshlarError} CLAIM_EXPIRED if fewer stores than the write quorum hold it with this size, QUORUM_NOT_REACHED if they may hold it, but too
 *   many stores failed to answer; NODE_UNAVAILABLE.
 */
export async function askStores(
  context: GatewayContext,
  chunk: ChunkRef,
  signal: AbortSignal | undefined,
): Promise<ProvenChunk> {
  const { layoutVersion, stores } = await context.topology.writePlacement(chunk.chunkId, { signal });
  const failures: AshlarError[] = [];
  const answers = await Promise.all(
    stores.map(async ({ nodeId, store }) => {
      try {
        const [presence] = await store.hasChunks([chunk.chunkId], { claim: true, signal });
        return { nodeId, held: presence?.sizeBytes === chunk.sizeBytes };
      } catch (error) {
        context.logger.warn({ err: error, nodeId }, "a store did not tell whether it holds a chunk");
        failures.push(AshlarError.from(error));
        return { nodeId, held: false };
      }
    }),
  );
  const missedNodeIds = answers.flatMap(({ nodeId, held }) => (held ? [] : [nodeId]));
  const quorum = context.topology.writeQuorum(stores.length);
  const heldCount = stores.length - missedNodeIds.length;
  if (heldCount >= quorum) return { layoutVersion, missedNodeIds };
  const chunkId = encodeHex(chunk.chunkId);
  if (heldCount + failures.length < quorum) {
    throw new AshlarError("CLAIM_EXPIRED", "too few stores hold a chunk of the commit; upload it again", {
      details: { chunkId },
    });
  }
  throw new AshlarError(
    "QUORUM_NOT_REACHED",
    `${heldCount} of ${quorum} stores needed say that they hold a chunk of the commit; ${failures[0]?.message}`,
    {
      cause: new AggregateError(failures),
      details: { chunkId, quorum: String(quorum), codes: failures.map(({ code }) => code).join(",") },
    },
  );
}
