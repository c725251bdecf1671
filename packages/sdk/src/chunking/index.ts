export { byCount } from "./by-count.ts";
export { chunkBody } from "./chunk-body.ts";
export type { ChunkCutter, Chunker } from "./chunker.ts";
export { fixed } from "./fixed.ts";
