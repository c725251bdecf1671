import { encodeSegment, SEGMENT_CHUNK_MAX, type SegmentChunk } from "./segment-codec.ts";

/** One segment, ready to be stored. */
export interface Segment {
  /** Offset of its first byte in its part. */
  readonly startOffset: number;
  readonly sizeBytes: number;
  readonly chunkCount: number;
  /** See encodeSegment. */
  readonly data: Uint8Array;
}

/** Cuts the chunk list of the part `partId` into segments of up to SEGMENT_CHUNK_MAX chunks, in order. */
export function splitIntoSegments(chunks: readonly SegmentChunk[], partId: string): Segment[] {
  const segments: Segment[] = [];
  let startOffset = 0;
  for (let first = 0; first < chunks.length; first += SEGMENT_CHUNK_MAX) {
    const run = chunks.slice(first, first + SEGMENT_CHUNK_MAX);
    const sizeBytes = run.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
    segments.push({
      startOffset,
      sizeBytes,
      chunkCount: run.length,
      data: encodeSegment(run, { partId, startOffset }),
    });
    startOffset += sizeBytes;
  }
  return segments;
}
