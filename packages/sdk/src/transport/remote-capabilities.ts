import { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import { DURABILITIES } from "../ports/durability.ts";
import type { ChunkStoreCapabilities, Endpoint } from "../ports/index.ts";

/** What any remote store can do. */
export function remoteCapabilities({ chunkMaxBytes }: Pick<Endpoint, "chunkMaxBytes">): ChunkStoreCapabilities {
  return Object.freeze({
    persistent: true,
    chunkMaxBytes: chunkMaxBytes ?? LIMITS.CHUNK_MAX_BYTES,
    durabilities: DURABILITIES,
  });
}

/** @throws {AshlarError} INTERNAL if the counts differ: nobody knows which answer belongs to which id. */
export function expectOnePerId(answerCount: number, idCount: number): void {
  if (answerCount !== idCount) throw new AshlarError("INTERNAL", `${answerCount} answers for ${idCount} chunk ids`);
}
