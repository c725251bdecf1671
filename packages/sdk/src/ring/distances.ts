/** How far each node is from each partition: a partition prefers near nodes. */
export interface Distances {
  readonly partitionCount: number;
  /** Never NaN; `Infinity` for a node of weight 0. */
  of(partition: number, node: number): number;
  /**
   * Skips nodes that are too far: faster than `of`, because most of a thousand are.
   *
   * @param nodes node indexes.
   * @returns the first place in `nodes`, at or after `from`, whose node may be as near as `limit`; the length of `nodes` if there is none.
   */
  nextWithin(partition: number, nodes: Uint16Array, from: number, limit: number): number;
}
