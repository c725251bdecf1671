import type { Digest } from "../hash/index.ts";
import type { CallOptions } from "./chunk-store.ts";
import type { ExaminationQuery } from "./examination.ts";
import type { ChunkRef } from "./objects.ts";

/** A chunk whose row names an older layout than the newest. */
export interface OutdatedChunk extends ChunkRef {
  readonly layoutVersion: number;
  /** False: nothing names it any more, and it waits to be collected, so it needs no copies. Absent: something names it. */
  readonly isNamed?: false;
}

/** Outdated chunks of a range of chunk rows, in ascending order of their ids. */
export interface OutdatedChunkPage {
  readonly chunks: readonly OutdatedChunk[];
  /** Where the next page begins; `undefined` on the last page. A page may be empty and not the last. */
  readonly nextCursor?: string | undefined;
}

/** Rows to move from one layout to a newer one. */
export interface LayoutAdvance {
  /** The layout that places the copies now. It was written, and is newer than those of the chunks. */
  readonly layoutVersion: number;
  /** Each with the layout that its row named when the copies were looked at, and whether something named the chunk then. At most LIST_LIMIT_MAX. */
  readonly chunks: ReadonlyArray<Omit<OutdatedChunk, "sizeBytes">>;
}

/** How many chunks follow a layout. */
export interface LayoutUse {
  readonly layoutVersion: number;
  readonly chunkCount: number;
}

/**
 * Which layout the copies of each chunk follow. A row names one layout; the repair queue lists the copies that it lacks. After a change of the layout
 * copies are made where the newest one wants them, and then the row moves forward. A layout that no row names any more is not looked at by readers.
 */
export interface ChunkLocations {
  /**
   * Outdated chunks, page by page. Those of stores without layouts, and those that a collector has marked, are none.
   * @param query.limit chunk rows to walk over for one page, at most 100,000.
   */
  listOutdatedChunks(query: ExaminationQuery, options?: CallOptions): Promise<OutdatedChunkPage>;
  /**
   * Moves rows forward whose copies lie where the newer layout places them. The caller has made sure of it, and has claimed the copies on the nodes that
   * only the newer layout names: so no collector has deleted them. Rows that nothing names any more need no copies, and move too, if the caller saw
   * that nothing names them: else a deleted object would keep an old layout in use until its chunks are collected, and for ever if a node of it is lost.
   * A commit that names such a chunk again says itself where its copies are. Rows that are being collected, or are not as the caller saw them, stay. Entries of the repair queue for nodes that the newer layout does not name are dropped.
   * @returns how many rows moved.
   * @throws {AshlarError} LAYOUT_STALE for a layout that was never written.
   */
  advanceLayouts(advance: LayoutAdvance, options?: CallOptions): Promise<number>;
  /**
   * For each chunk the layout that its row names, if every copy is there as far as the repair queue knows; `undefined` while a copy is missing, while
   * the copies of a node that lost its disk are being queued, and for a chunk that nothing names. A copy on a node that neither this layout nor the newest one names is needed by nobody.
   */
  settledLayouts(chunkIds: readonly Digest[], options?: CallOptions): Promise<ReadonlyArray<number | undefined>>;
  /** Chunks that something names, by the layout that they follow; newest layout first. Those of stores without layouts are not counted. */
  countLayoutUse(options?: CallOptions): Promise<readonly LayoutUse[]>;
}
