export { checkChunks } from "./check-chunks.ts";
export { chunkedEtagBy, singleEtag } from "./etag.ts";
export { chunkedEtag, uploadEtag } from "./etag-sync.ts";
export {
  decodeSegment,
  encodeSegment,
  SEGMENT_CHUNK_MAX,
  type SegmentChunk,
  type SegmentPlace,
} from "./segment-codec.ts";
export { type Segment, splitIntoSegments } from "./segments.ts";
