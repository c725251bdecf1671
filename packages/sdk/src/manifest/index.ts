export { checkChunks } from "./check-chunks.ts";
export { chunkedEtag, chunkedEtagBy, singleEtag, uploadEtag } from "./etag.ts";
export { decodeSegment, encodeSegment, SEGMENT_CHUNK_MAX, type SegmentChunk } from "./segment-codec.ts";
export { type Segment, splitIntoSegments } from "./segments.ts";
