import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock, Logger } from "@ashlar/sdk/ports";
import { CLOCK_SKEW_MS } from "../grants/index.ts";
import { formatDuration } from "../observability/format.ts";
import type { Metrics } from "../observability/metrics.ts";

/**
 * Nodes whose clocks differ from a gateway's by more than grants allow, as far as the gateway notices: a node that is ahead refuses its grants, and a
 * node that is behind gives receipts that are older than their tickets.
 */
export interface ClockWatch {
  /** Notes a difference. The first time, and after the clocks agreed again, it is logged. @param aheadMs how far the node is ahead; negative: behind. */
  differs(nodeId: string, aheadMs: number): void;
  /** Notes that a node is not, or no longer, `ahead` or `behind`. */
  agrees(nodeId: string, side: "ahead" | "behind"): void;
  /** Forgets all other nodes. */
  keepOnly(nodeIds: ReadonlySet<string>): void;
  /** By node id, how far the node is ahead in ms; negative: behind. */
  differing(): ReadonlyMap<string, number>;
  /**
   * By how many ms this gateway's own wall clock moved against its monotonic clock, if it did within the life of a claim: it was set, or the machine
   * slept. The first call that sees it logs it. Else 0.
   */
  ownStepMs(): number;
}

/** Memory: an entry for each node that is in the layout or the registry. */
export function createClockWatch({
  clock,
  logger,
  metrics,
}: {
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  readonly logger: Logger;
  readonly metrics: Metrics;
}): ClockWatch {
  const aheadMsOf = new Map<string, number>();
  const gauge = metrics.gauge({
    name: "ashlar_node_clock_ahead_seconds",
    help: "How far a node's clock is ahead of this gateway's, where they differ by more than a minute; negative: behind",
    labelNames: ["node"],
  });
  const steps = metrics.counter({
    name: "ashlar_gateway_clock_steps_total",
    help: "How often this gateway's wall clock moved by more than a minute against its monotonic clock: it was set, or the machine slept",
  });
  let offsetMs = clock.nowMs() - clock.monotonicMs();
  let last = { byMs: 0, seenAtMs: 0 };
  /** Nodes that have a series. */
  const shown = new Set<string>();
  const show = (nodeId: string, aheadMs: number): void => {
    shown.add(nodeId);
    gauge.set(aheadMs / 1000, { node: nodeId });
  };
  const forget = (nodeId: string): void => {
    aheadMsOf.delete(nodeId);
    show(nodeId, 0);
  };
  return {
    differs(nodeId, aheadMs) {
      if (!aheadMsOf.has(nodeId))
        logger.error({ nodeId, aheadMs: Math.round(aheadMs) }, `${clockText(nodeId, aheadMs)}; set both right (NTP)`);
      aheadMsOf.set(nodeId, aheadMs);
      show(nodeId, aheadMs);
    },
    agrees(nodeId, side) {
      if (!shown.has(nodeId)) show(nodeId, 0);
      const aheadMs = aheadMsOf.get(nodeId);
      if (aheadMs !== undefined && aheadMs > 0 === (side === "ahead")) forget(nodeId);
    },
    keepOnly(nodeIds) {
      for (const nodeId of aheadMsOf.keys()) if (!nodeIds.has(nodeId)) forget(nodeId);
      for (const nodeId of shown) if (!nodeIds.has(nodeId)) shown.delete(nodeId);
    },
    differing: () => aheadMsOf,
    ownStepMs() {
      const seenAtMs = clock.monotonicMs();
      const byMs = clock.nowMs() - seenAtMs - offsetMs;
      // Clocks drift apart by a second in hours: only what is more than the difference that grants allow is a step.
      if (Math.abs(byMs) > CLOCK_SKEW_MS) {
        last = { byMs, seenAtMs };
        steps.add(1);
        logger.error({ byMs: Math.round(byMs) }, `${stepText(byMs)}; see that it is right (NTP)`);
      }
      offsetMs += byMs;
      return seenAtMs - last.seenAtMs < LIMITS.CLAIM_TTL_MS ? last.byMs : 0;
    },
  };
}

/** Says which clock differs and by how much. */
export function clockText(nodeId: string, aheadMs: number): string {
  const difference = formatDuration(Math.abs(aheadMs));
  // A node that is behind is known by the age of its receipts: the time from the first ticket to the receipt is missing.
  if (aheadMs < 0) return `the clock of ${nodeId} is at least ${difference} behind this gateway's`;
  return `the clock of ${nodeId} is ${difference} ahead of this gateway's`;
}

/** Says how this gateway's clock moved. */
export function stepText(byMs: number): string {
  return `this gateway's clock moved ${byMs > 0 ? "on" : "back"} by ${formatDuration(Math.abs(byMs))} at once: it was set, or the machine slept`;
}
