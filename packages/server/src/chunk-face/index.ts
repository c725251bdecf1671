export type { ChunkFaceOptions, ChunkFaceStatus, ReceiptFacts } from "./chunk-face-options.ts";
export { type ChunkFace, createChunkFace } from "./create-chunk-face.ts";
