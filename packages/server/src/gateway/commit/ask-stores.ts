import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkRef } from "@ashlar/sdk/ports";
import type { GatewayContext } from "../gateway-context.ts";
import type { ProvenChunk } from "./check-receipts.ts";

/**
 * Finds out which stores hold a chunk, and claims it there: how an insecure gateway checks a commit for which nobody signed receipts.
 *
 * @throws {AshlarError} CLAIM_EXPIRED if fewer stores than the write quorum hold it with this size; NODE_UNAVAILABLE.
 */
export async function askStores(
  context: GatewayContext,
  chunk: ChunkRef,
  signal: AbortSignal | undefined,
): Promise<ProvenChunk> {
  const { layoutVersion, stores } = await context.topology.writePlacement(chunk.chunkId, { signal });
  const answers = await Promise.all(
    stores.map(async ({ serverId, store }) => {
      try {
        const [presence] = await store.hasChunks([chunk.chunkId], { claim: true, signal });
        return { serverId, held: presence?.sizeBytes === chunk.sizeBytes };
      } catch (error) {
        context.logger.warn({ err: error, serverId }, "a store did not tell whether it holds a chunk");
        return { serverId, held: false };
      }
    }),
  );
  const missedServerIds = answers.flatMap(({ serverId, held }) => (held ? [] : [serverId]));
  if (stores.length - missedServerIds.length < context.topology.writeQuorum(stores.length)) {
    throw new AshlarError("CLAIM_EXPIRED", "too few stores hold a chunk of the commit; upload it again", {
      details: { chunkId: encodeHex(chunk.chunkId) },
    });
  }
  return { layoutVersion, missedServerIds };
}
