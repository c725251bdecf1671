/** Decides where a body is cut into chunks. Pure: the same bytes give the same cuts. */
export interface Chunker {
  /** For logs and docs, for example `fixed(4194304)`. */
  readonly name: string;
  /**
   * Begins one body.
   * @param totalBytes its length where known.
   * @throws {AshlarError} INVALID_ARGUMENT if the strategy needs a length and none is known.
   */
  start(totalBytes: number | undefined): ChunkCutter;
}

/** Cuts one body. */
export interface ChunkCutter {
  /** No chunk is longer than this; the engine sizes its buffers by it. */
  readonly maxBytes: number;
  /**
   * Where to cut.
   * @param buffered the bytes since the last cut, at most `maxBytes`; borrowed for the call.
   * @param ended whether these are the last bytes of the body.
   * @returns length of the next chunk, 1 to buffered.byteLength; `undefined` to see more bytes first (never when `ended` or when full).
   */
  cut(buffered: Uint8Array, ended: boolean): number | undefined;
}
