/** One storage node of a layout. */
export interface LayoutNode {
  /** Unique, stable; 1 to 64 characters of [A-Za-z0-9._-]. */
  readonly nodeId: string;
  /** Failure domain; nodes without one are each their own. */
  readonly zone?: string | undefined;
  /** Relative share of the ring, 0 or more; 1 is normal. A node of weight 0 takes no new chunks. */
  readonly weight: number;
}

/** The versioned input of placement: nothing else decides where a chunk lies. */
export interface Layout {
  /** 1, 2, …; 0 means "one local store, no ring". */
  readonly layoutVersion: number;
  /** Copies wanted; placements are shorter if there are fewer nodes. */
  readonly replicationFactor: number;
  /** Of a node of weight 1; placement format 2 places without them. */
  readonly virtualNodesPerNode: number;
  /** How nodes are chosen for a chunk. Default 1: by the ring, among 4,096 partitions. 2: by a hash of partition and node, among 65,536. */
  readonly placementFormat?: number | undefined;
  /** Ascending by nodeId. */
  readonly nodes: readonly LayoutNode[];
}
