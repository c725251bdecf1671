import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  CommittedChunk as CommittedChunkMessage,
  LocatedChunk as LocatedChunkMessage,
  LocatedChunkSchema,
} from "../gen/ashlar/v1/object_pb.js";
import type {
  ChunkedContent as ChunkedContentMessage,
  ChunkedContentSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import { digestFromBytes } from "../hash/digest.ts";
import type { ChunkedContent, CommittedChunk, LocatedChunk } from "../ports/index.ts";
import { decodeInteger, decodeText, encodeInteger } from "./integers.ts";

/**
 * Chunks as a client sends them, with the receipts that prove that they are stored. Layout and missed nodes are not sent; the
 * gateway takes both from the receipts.
 */
export interface ReceivedContent {
  readonly chunks: ReadonlyArray<Omit<CommittedChunk, "layoutVersion" | "missedNodeIds">>;
}

export function encodeChunkedContent(
  content: ChunkedContent | ReceivedContent,
): MessageInitShape<typeof ChunkedContentSchema> {
  return {
    chunks: content.chunks.map((chunk) => ({
      chunkId: chunk.chunkId,
      sizeBytes: encodeInteger(chunk.sizeBytes),
      receipts: [...(chunk.receipts ?? [])],
    })),
  };
}

/** @throws {AshlarError} INVALID_ARGUMENT for a chunk id that does not have 32 bytes. */
export function decodeChunkedContent(message: ChunkedContentMessage | undefined): ReceivedContent {
  return { chunks: (message?.chunks ?? []).map(decodeCommittedChunk) };
}

function decodeCommittedChunk(message: CommittedChunkMessage): ReceivedContent["chunks"][number] {
  return {
    chunkId: digestFromBytes(message.chunkId),
    sizeBytes: decodeInteger(message.sizeBytes, "sizeBytes"),
    receipts: message.receipts,
  };
}

export function encodeLocatedChunk(chunk: LocatedChunk): MessageInitShape<typeof LocatedChunkSchema> {
  return {
    chunkId: chunk.chunkId,
    sizeBytes: encodeInteger(chunk.sizeBytes),
    offset: encodeInteger(chunk.offset),
    grant: chunk.grant ?? "",
  };
}

export function decodeLocatedChunk(message: LocatedChunkMessage): LocatedChunk {
  return {
    chunkId: digestFromBytes(message.chunkId),
    sizeBytes: decodeInteger(message.sizeBytes, "sizeBytes"),
    offset: decodeInteger(message.offset, "offset"),
    grant: decodeText(message.grant),
  };
}
