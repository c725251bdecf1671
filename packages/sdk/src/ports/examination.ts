import type { Digest } from "../hash/index.ts";
import type { CallOptions } from "./chunk-store.ts";
import type { ChunkRef } from "./objects.ts";

/** A run of chunks that a part names: of an object, of an unfinished upload, or of one that was released and is not dropped yet. */
export interface ManifestSegment {
  readonly manifestId: string;
  /** `undefined` if the run is not what was written, so that nobody knows what it named. */
  readonly chunks: readonly ChunkRef[] | undefined;
}

/** Some segments, in an order of the store's own. */
export interface SegmentPage {
  readonly segments: readonly ManifestSegment[];
  /** Where the next page begins; `undefined` on the last. */
  readonly nextCursor?: string | undefined;
}

/** Whole walks over the metadata, a page at a time: what its parts say of each other is compared by whoever asks. */
export interface MetadataExamination {
  /** Every chunk that any part names. A commit meanwhile may or may not be among them. At most `limit` segments of up to 1,024 chunks. */
  listSegments(
    query: { readonly cursor?: string | undefined; readonly limit: number },
    options?: CallOptions,
  ): Promise<SegmentPage>;
  /** How many references each chunk's row counts, by the order of the ids; `undefined` where there is no row. */
  chunkCounts(chunkIds: readonly Digest[], options?: CallOptions): Promise<ReadonlyArray<number | undefined>>;
}
