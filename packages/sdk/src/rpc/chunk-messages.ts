import type { MessageInitShape } from "@bufbuild/protobuf";
import { AshlarError } from "../errors/index.ts";
import {
  type DeleteChunkRequest as DeleteChunkRequestMessage,
  type DeleteChunkRequestSchema,
  DeleteOutcome as DeleteOutcomeEnum,
  type HealthCheckResponse as HealthCheckResponseMessage,
  type HealthCheckResponseSchema,
  type ListChunksResponse as ListChunksResponseMessage,
  type ListChunksResponseSchema,
  type PutChunkResponse as PutChunkResponseMessage,
  type PutChunkResponseSchema,
  type WriteChunkResponse as WriteChunkResponseMessage,
} from "../gen/ashlar/v1/chunk_service_pb.js";
import { type Digest, digestFromBytes } from "../hash/digest.ts";
import type { ChunkPage, ChunkStoreStats, DeleteChunksOptions, DeleteOutcome, PutChunkResult } from "../ports/index.ts";
import { decodeCount, decodeInteger, decodeText, encodeInteger } from "./integers.ts";

export { ChunkService, type PutChunkRequestSchema } from "../gen/ashlar/v1/chunk_service_pb.js";

/** PutChunkResponse and WriteChunkResponse have the same members. */
export function encodePutChunkResult(
  result: PutChunkResult,
  nodeId: string,
): Omit<MessageInitShape<typeof PutChunkResponseSchema>, "$typeName" | "$unknown"> {
  return {
    sizeBytes: encodeInteger(result.sizeBytes),
    alreadyPresent: result.alreadyPresent,
    receipt: result.receipt ?? "",
    nodeId,
    replicas: result.replicas ?? 1,
  };
}

export function decodePutChunkResult(message: PutChunkResponseMessage | WriteChunkResponseMessage): PutChunkResult {
  return {
    sizeBytes: decodeInteger(message.sizeBytes, "sizeBytes"),
    alreadyPresent: message.alreadyPresent,
    receipt: decodeText(message.receipt),
    replicas: decodeCount(message.replicas),
  };
}

export function encodeDeleteChunk(
  chunkIds: readonly Digest[],
  { unclaimedForMs, database }: DeleteChunksOptions,
): MessageInitShape<typeof DeleteChunkRequestSchema> {
  return {
    chunkIds: [...chunkIds],
    unclaimedForMs: encodeInteger(unclaimedForMs),
    database: database && {
      databaseId: database.databaseId,
      epoch: encodeInteger(database.epoch),
      ageMs: encodeInteger(database.ageMs),
      takesOver: database.takesOver,
    },
  };
}

/** The options of a delete as a node receives them. @throws {AshlarError} INVALID_ARGUMENT. */
export function decodeDeleteChunk({
  unclaimedForMs,
  database,
}: DeleteChunkRequestMessage): Pick<DeleteChunksOptions, "unclaimedForMs" | "database"> {
  return {
    unclaimedForMs: decodeInteger(unclaimedForMs, "unclaimed_for_ms"),
    database: database && {
      databaseId: database.databaseId,
      epoch: decodeInteger(database.epoch, "epoch"),
      ageMs: decodeInteger(database.ageMs, "age_ms"),
      takesOver: database.takesOver,
    },
  };
}

const OUTCOME_TO_WIRE: Readonly<Record<DeleteOutcome, DeleteOutcomeEnum>> = {
  deleted: DeleteOutcomeEnum.DELETED,
  absent: DeleteOutcomeEnum.ABSENT,
  claimed: DeleteOutcomeEnum.CLAIMED,
};

export function encodeDeleteOutcome(outcome: DeleteOutcome): DeleteOutcomeEnum {
  return OUTCOME_TO_WIRE[outcome];
}

/** @throws {AshlarError} INTERNAL for an outcome that this version does not know: the chunk may or may not be deleted. */
export function decodeDeleteOutcome(outcome: DeleteOutcomeEnum): DeleteOutcome {
  if (outcome === DeleteOutcomeEnum.DELETED) return "deleted";
  if (outcome === DeleteOutcomeEnum.ABSENT) return "absent";
  if (outcome === DeleteOutcomeEnum.CLAIMED) return "claimed";
  throw new AshlarError("INTERNAL", `delete outcome ${outcome} is unknown`);
}

export function encodeChunkPage(page: ChunkPage): MessageInitShape<typeof ListChunksResponseSchema> {
  return {
    chunks: page.chunks.map((chunk) => ({
      chunkId: chunk.chunkId,
      sizeBytes: encodeInteger(chunk.sizeBytes),
      // Rounded down: a claim must never look older than it is.
      unclaimedForMs: encodeInteger(Math.floor(chunk.unclaimedForMs)),
    })),
    nextCursor: page.nextCursor ?? "",
  };
}

export function decodeChunkPage(message: ListChunksResponseMessage): ChunkPage {
  return {
    chunks: message.chunks.map((chunk) => ({
      chunkId: digestFromBytes(chunk.chunkId),
      sizeBytes: decodeInteger(chunk.sizeBytes, "sizeBytes"),
      unclaimedForMs: decodeInteger(chunk.unclaimedForMs, "unclaimedForMs"),
    })),
    nextCursor: decodeText(message.nextCursor),
  };
}

/** The part of a HealthCheckResponse that comes from a store's stats. Free and total bytes are 0 if there is no disk. */
export function encodeChunkStoreStats(
  stats: ChunkStoreStats,
): Pick<
  Required<MessageInitShape<typeof HealthCheckResponseSchema>>,
  "chunkCount" | "bytesUsed" | "bytesFree" | "bytesTotal"
> {
  return {
    chunkCount: encodeInteger(stats.chunkCount),
    bytesUsed: encodeInteger(stats.bytesUsed),
    bytesFree: encodeInteger(stats.bytesFree ?? 0),
    bytesTotal: encodeInteger(stats.bytesTotal ?? 0),
  };
}

/** A disk of 0 bytes means that there is none. */
export function decodeChunkStoreStats(message: HealthCheckResponseMessage): ChunkStoreStats {
  const bytesTotal = decodeInteger(message.bytesTotal, "bytesTotal");
  return {
    chunkCount: decodeInteger(message.chunkCount, "chunkCount"),
    bytesUsed: decodeInteger(message.bytesUsed, "bytesUsed"),
    bytesFree: bytesTotal === 0 ? undefined : decodeInteger(message.bytesFree, "bytesFree"),
    bytesTotal: bytesTotal === 0 ? undefined : bytesTotal,
  };
}
