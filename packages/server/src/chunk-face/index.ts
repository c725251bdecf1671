export type { ChunkFaceOptions, ChunkFaceStatus, ReceiptFacts } from "./chunk-face-options.ts";
export { createPieceBuffers, onePieceAhead, pieceBytes, readPieces } from "./chunk-pieces.ts";
export { collectChunk } from "./collect-chunk.ts";
export { type ChunkFace, createChunkFace } from "./create-chunk-face.ts";
