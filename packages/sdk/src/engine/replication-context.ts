import type { Clock, Hasher, Logger, Random } from "../ports/index.ts";
import type { RetryPolicy } from "./retry.ts";
import type { Suspects } from "./suspects.ts";
import type { Topology } from "./topology.ts";

/** What replication needs of its surroundings. */
export interface ReplicationOptions {
  readonly topology: Topology;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A read slower than this also asks the next replica; default HEDGE_AFTER_MS. */
  readonly hedgeAfterMs?: number | undefined;
  /** How patient each chunk is, for each of its stores. */
  readonly retry?: RetryPolicy | undefined;
  /** Tries per chunk and replica, ≥ 1; default: as many as the time allows. */
  readonly attempts?: number | undefined;
}

/** The options, completed; shared by all reads and writes. */
export interface ReplicationContext extends ReplicationOptions {
  readonly hedgeAfterMs: number;
  readonly suspects: Suspects;
}
