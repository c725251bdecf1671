import type { LimitsTask, MachineLimits } from "./limits/machine-limits.ts";
import type { LoadPlan, LoadReport } from "./load/run-load.ts";
import type { RowSpec } from "./rows.ts";
import type { ServerMemory } from "./servers/setup.ts";

/** Raised when a field changes its meaning or is removed. */
export const RESULTS_SCHEMA_VERSION = 1;

/** What was measured on: nothing that names the machine. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** Kind of the file system that the rows wrote to. */
  readonly fileSystem: string;
}

/** One row's figures: medians over the rounds, and the largest of stalls and memory. */
export interface RowResult extends RowSpec {
  readonly phases: LoadReport;
  /** Absent where there are no servers. */
  readonly serverMemory?: ServerMemory | undefined;
}

/** The content of `bench/results/*.json`. Sizes in bytes, times in ms, MB = 10^6 bytes. */
export interface BenchmarkResults {
  readonly schemaVersion: typeof RESULTS_SCHEMA_VERSION;
  /** UTC, ISO 8601. */
  readonly startedAt: string;
  readonly rounds: number;
  /** Small sizes: the figures only show that the rows work. */
  readonly quick: boolean;
  readonly machine: MachineFacts;
  readonly plan: LoadPlan;
  /** Objects are cut into chunks of this size. */
  readonly chunkBytes: number;
  readonly limits: MachineLimits;
  readonly rows: readonly RowResult[];
}

/** Sizes of a run. */
export interface RunSizes {
  readonly plan: LoadPlan;
  readonly limits: Omit<LimitsTask, "folder">;
}
