import {
  type Clock,
  checkedMetadataStore,
  type MetadataStore,
  type Random,
  systemClock,
  systemRandom,
} from "@ashlar/sdk/ports";
import { resolveLayoutDefaults } from "../../internal/metadata/layout-changes.ts";
import { memoryBuckets } from "./buckets.ts";
import { memoryCollection } from "./collection.ts";
import { memoryCredentials } from "./credentials.ts";
import { memoryExamination } from "./examination.ts";
import { memoryIdentity } from "./identity.ts";
import { memoryJobs } from "./jobs.ts";
import { memoryLocations } from "./locations.ts";
import { memoryNodes } from "./nodes.ts";
import { memoryObjects } from "./objects.ts";
import { onceEach } from "./once.ts";
import { memoryRepairs } from "./repairs.ts";
import { createState } from "./state.ts";
import { memoryUploads } from "./uploads.ts";

/** Options of {@link createMemoryMetadataStore}. */
export interface MemoryMetadataStoreOptions {
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Default: the system's. */
  readonly random?: Random | undefined;
  /** True: nodes that register wait for an operator's changeLayout. Default false: they join by themselves. */
  readonly stagedLayouts?: boolean | undefined;
  /** Copies wanted in the first layout, 1 to REPLICATION_FACTOR_MAX; default 3. */
  readonly replicationFactor?: number | undefined;
}

/**
 * A metadata store in memory, for tests, simulations and throw-away data: all semantics, no persistence, one process.
 *
 * It shares little code with the SQL stores on purpose: each checks the other.
 */
export function createMemoryMetadataStore(options: MemoryMetadataStoreOptions = {}): MetadataStore {
  const state = createState({
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    stagedLayouts: options.stagedLayouts ?? false,
    layoutDefaults: resolveLayoutDefaults(options),
  });
  return checkedMetadataStore({
    capabilities: Object.freeze({ persistent: false, sharedByProcesses: false }),
    ...onceEach(state, {
      ...memoryBuckets(state),
      ...memoryObjects(state),
      ...memoryUploads(state),
      ...memoryCollection(state),
      ...memoryRepairs(state),
      ...memoryJobs(state),
      ...memoryLocations(state),
      ...memoryNodes(state),
      ...memoryCredentials(state),
      ...memoryIdentity(state),
      ...memoryExamination(state),
      ping: async () => {},
    }),
    close: async () => {},
  });
}
