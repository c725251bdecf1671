/** How far each node is from each partition: a partition prefers near nodes. */
export interface Distances {
  readonly partitionCount: number;
  /** Never NaN; `Infinity` for a node of weight 0. */
  of(partition: number, node: number): number;
  /** No more than `of`, and cheaper: what is too far by this need not be measured. */
  atLeast(partition: number, node: number): number;
}
