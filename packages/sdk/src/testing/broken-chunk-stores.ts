import type { BrokenChunkStore } from "./broken-chunk-store.ts";
import { LIST_FAULTS, READ_FAULTS, WRITE_FAULTS } from "./broken-chunk-store-data.ts";
import { CLAIM_FAULTS, LIFECYCLE_FAULTS } from "./broken-chunk-store-protocol.ts";
import { SCRUB_FAULTS } from "./broken-chunk-store-scrub.ts";

/** One store per fault. */
export const BROKEN_CHUNK_STORES: readonly BrokenChunkStore[] = Object.freeze([
  ...READ_FAULTS,
  ...WRITE_FAULTS,
  ...CLAIM_FAULTS,
  ...LIST_FAULTS,
  ...LIFECYCLE_FAULTS,
  ...SCRUB_FAULTS,
]);
