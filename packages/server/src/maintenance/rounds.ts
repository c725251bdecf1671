import { type CollectOptions, type CollectReport, collect } from "@ashlar/sdk/engine";
import type { CallOptions } from "@ashlar/sdk/ports";
import type { MaintenanceRecorder } from "./maintenance-metrics.ts";
import { type RebalanceOptions, type RebalanceReport, rebalance } from "./rebalance.ts";
import { type RepairOptions, type RepairReport, repair } from "./repair.ts";

/** What was done to copies. */
export interface CopiesMoved extends RebalanceReport, RepairReport {}

/** What the rounds take. */
export type RoundsOptions = Omit<CollectOptions & RepairOptions & RebalanceOptions, keyof CallOptions>;

/** Rounds of background work. Each is measured, and logged if it did anything. */
export interface MaintenanceRounds {
  readonly collectNow: (call: CallOptions) => Promise<CollectReport>;
  readonly repairNow: (call: CallOptions) => Promise<RepairReport>;
  readonly rebalanceNow: (call: CallOptions) => Promise<RebalanceReport>;
  /** Makes copies where the newest layout wants them, and moves the rows that have theirs, until nothing more can be done now. */
  readonly followLayout: (call: CallOptions) => Promise<CopiesMoved>;
}

export function maintenanceRounds(options: RoundsOptions, record: MaintenanceRecorder): MaintenanceRounds {
  const { logger } = options;
  const repairNow = (call: CallOptions): Promise<RepairReport> =>
    record.repair(async () => {
      const report = await repair({ ...options, ...call });
      const { waiting: _waiting, ...did } = report;
      if (hasDone(did)) logger.info({ ...did }, "repaired");
      return report;
    });
  const rebalanceNow = (call: CallOptions): Promise<RebalanceReport> =>
    record.rebalance(async () => {
      const report = await rebalance({ ...options, ...call });
      if (hasDone(report)) logger.info({ ...report }, "rebalanced");
      return report;
    });
  return {
    collectNow: (call) =>
      record.collection(async () => {
        const report = await collect({ ...options, ...call });
        if (hasDone(report)) logger.info({ ...report }, "collected");
        return report;
      }),
    repairNow,
    rebalanceNow,
    async followLayout(call) {
      let sum: CopiesMoved | undefined;
      for (;;) {
        const rebalanced = await rebalanceNow(call);
        const did = { ...rebalanced, ...(await repairNow(call)) };
        sum = sum === undefined ? did : added(sum, did);
        if (rebalanced.moveCopiesQueued === 0) return sum;
      }
    },
  };
}

const hasDone = (counts: object): boolean => Object.values(counts).some((count) => count > 0);

/** What was done is added up; what waits is told as it is in the end. */
function added(before: CopiesMoved, did: CopiesMoved): CopiesMoved {
  return {
    ...did,
    chunksMoved: before.chunksMoved + did.chunksMoved,
    chunksReleased: before.chunksReleased + did.chunksReleased,
    moveCopiesQueued: before.moveCopiesQueued + did.moveCopiesQueued,
    chunksRepaired: before.chunksRepaired + did.chunksRepaired,
    bytesRepaired: before.bytesRepaired + did.bytesRepaired,
    repairsDropped: before.repairsDropped + did.repairsDropped,
    repairsFailed: before.repairsFailed + did.repairsFailed,
    copiesQueued: before.copiesQueued + did.copiesQueued,
  };
}
