export type { ChunkApiOptions, ChunkApiStatus, ReceiptFacts } from "./chunk-api-options.ts";
export { createPieceBuffers, onePieceAhead, pieceBytes, readPieces } from "./chunk-pieces.ts";
export { type ChunkApi, createChunkApi } from "./create-chunk-api.ts";
export { gatherChunk } from "./gather-chunk.ts";
