import type { Digest } from "../hash/index.ts";
import type { CallOptions } from "./chunk-store.ts";
import type { ChunkRef } from "./objects.ts";

/** One row of a manifest: a run of chunks of an object, of an unfinished upload, or of a manifest that was released and is not dropped yet. */
export interface ManifestSegment {
  readonly manifestId: string;
  /** `undefined` if the row is damaged, so that its chunks are unknown. */
  readonly chunks: readonly ChunkRef[] | undefined;
}

/** A page of segments; the store chooses their order. */
export interface SegmentPage {
  readonly segments: readonly ManifestSegment[];
  /** Where the next page begins; `undefined` on the last page. */
  readonly nextCursor?: string | undefined;
}

/** Which page of a walk. */
export interface ExaminationQuery {
  /** `nextCursor` of the page before; default: the first page. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** The row of one object version, latest or not. */
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

/** Manifests whose rows disagree with the object or upload that names them. */
export interface ManifestProblemPage {
  readonly problems: ReadonlyArray<{ readonly manifestId: string; readonly problem: string }>;
  readonly nextCursor?: string | undefined;
}

/** Chunk rows in ascending order of their ids. */
export interface ChunkRowPage {
  readonly rows: ReadonlyArray<{ readonly chunkId: Digest; readonly referenceCount: number }>;
  readonly nextCursor?: string | undefined;
}

/** An object that names a manifest. */
export interface ManifestOwner {
  readonly manifestId: string;
  readonly bucket: string;
  readonly key: string;
}

/** The copies of one chunk, by its row, the repair queue and the states of nodes. Nobody is asked whether the copies are really there. */
export interface ChunkCopies {
  /** Copies that its layout places. */
  readonly wanted: number;
  /** Copies that are not known to be missing; nodes that are away still have theirs. */
  readonly held: number;
  /** Those of them on nodes that are up. */
  readonly reachable: number;
}

/** Chunks of a page, by their numbers of copies. The index is the number of copies. */
export interface CopiesPage {
  readonly held: readonly number[];
  readonly reachable: readonly number[];
  /** Chunks that have fewer reachable copies than wanted. */
  readonly shortCount: number;
  /** Chunks that objects and uploads name. Those of a store without layouts are not counted. */
  readonly chunkCount: number;
  readonly nextCursor?: string | undefined;
}

/** Walks over all metadata, page by page. The caller compares what the pages say. */
export interface MetadataExamination {
  /** Every segment. Those of a commit during the walk may be missing. At most `limit` segments of up to 1,024 chunks per page. */
  listSegments(query: ExaminationQuery, options?: CallOptions): Promise<SegmentPage>;
  /** The reference count in each chunk's row, in the order of the ids; `undefined` where there is no row. */
  chunkCounts(chunkIds: readonly Digest[], options?: CallOptions): Promise<ReadonlyArray<number | undefined>>;
  /** All object rows, and what is wrong with each: damaged bytes, or a bucket that does not exist. */
  examineObjects(query: ExaminationQuery, options?: CallOptions): Promise<ExaminedObjectPage>;
  /** All manifest rows, compared with the objects and uploads that name them. */
  examineManifests(query: ExaminationQuery, options?: CallOptions): Promise<ManifestProblemPage>;
  listChunkRows(query: ExaminationQuery, options?: CallOptions): Promise<ChunkRowPage>;
  /** Counts chunks by their copies. `limit` is the number of chunk rows of a page, at most 100,000. */
  countCopies(query: ExaminationQuery, options?: CallOptions): Promise<CopiesPage>;
  /** The copies of each chunk; `undefined` for one without a row, and where there are no layouts. */
  copiesOf(chunkIds: readonly Digest[], options?: CallOptions): Promise<ReadonlyArray<ChunkCopies | undefined>>;
  /** Some of the objects that name a manifest, at most `limit`. */
  manifestOwners(
    query: { readonly manifestId: string; readonly limit: number },
    options?: CallOptions,
  ): Promise<readonly ManifestOwner[]>;
}
