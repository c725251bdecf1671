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

/** Which page of a walk. */
export interface ExaminationQuery {
  /** Of the page before; default: the first. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** An object's row, of whatever version. */
export interface ExaminedObject {
  readonly bucket: string;
  /** As far as it can be read. */
  readonly key: string;
  readonly objectVersion: string;
  readonly sizeBytes: number;
  readonly manifestId?: string | undefined;
  /** What is wrong with the row itself, in words. */
  readonly problem?: string | undefined;
}

/** A page of objects. */
export interface ExaminedObjectPage {
  readonly objects: readonly ExaminedObject[];
  readonly nextCursor?: string | undefined;
}

/** Manifests whose rows do not agree with what names them. */
export interface ManifestProblemPage {
  readonly problems: ReadonlyArray<{ readonly manifestId: string; readonly problem: string }>;
  readonly nextCursor?: string | undefined;
}

/** Chunk rows in ascending order of their ids. */
export interface ChunkRowPage {
  readonly rows: ReadonlyArray<{ readonly chunkId: Digest; readonly referenceCount: number }>;
  readonly nextCursor?: string | undefined;
}

/** Where an object is. */
export interface ManifestOwner {
  readonly manifestId: string;
  readonly bucket: string;
  readonly key: string;
}

/** Whole walks over the metadata, a page at a time: what its parts say of each other is compared by whoever asks. */
export interface MetadataExamination {
  /** Every chunk that any part names. A commit meanwhile may or may not be among them. At most `limit` segments of up to 1,024 chunks. */
  listSegments(query: ExaminationQuery, options?: CallOptions): Promise<SegmentPage>;
  /** How many references each chunk's row counts, by the order of the ids; `undefined` where there is no row. */
  chunkCounts(chunkIds: readonly Digest[], options?: CallOptions): Promise<ReadonlyArray<number | undefined>>;
  /** All object rows, and what is wrong with each: bytes that are not what was written, a bucket that is not there. */
  examineObjects(query: ExaminationQuery, options?: CallOptions): Promise<ExaminedObjectPage>;
  /** All manifest rows, compared with the objects and uploads that name them. */
  examineManifests(query: ExaminationQuery, options?: CallOptions): Promise<ManifestProblemPage>;
  listChunkRows(query: ExaminationQuery, options?: CallOptions): Promise<ChunkRowPage>;
  /** Some of the objects that name a manifest, at most `limit`. */
  manifestOwners(
    query: { readonly manifestId: string; readonly limit: number },
    options?: CallOptions,
  ): Promise<readonly ManifestOwner[]>;
}
