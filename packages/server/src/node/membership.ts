import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type Clock,
  type Logger,
  lostDiskWords,
  type NodeRegistration,
  type NodeRegistry,
  type NodeStats,
  type Random,
  type RegisteredNode,
  shownUrl,
} from "@ashlar/sdk/ports";
import { formatDuration } from "../observability/format.ts";
import { DURATION_BUCKETS_SECONDS, type Metrics } from "../observability/metrics.ts";
import type { DamagedCopies } from "./damaged-copies.ts";
import { lostDiskAction } from "./lost-disk.ts";

/** Longest wait of one call to the registry; a database that hangs must not stop the heartbeat for good. */
const CALL_TIMEOUT_MS = 5000;

/** A node's place in the cluster: registered at the start, kept alive by heartbeats, given up in order at the end. */
export interface Membership {
  /**
   * Tries to register once, then goes on in the background; a registry that is away does not reject.
   *
   * @param registration without `chunkCount`, which each registration takes from `stats`.
   * @throws {AshlarError} INVALID_ARGUMENT if the registry rejects the registration itself as invalid; PRECONDITION_FAILED if the node lost its disk
   *   and asked to be refused then.
   */
  start(registration: Omit<NodeRegistration, "chunkCount">): Promise<void>;
  /** Resolves, at the start or later, when the registry refuses the registration itself (see `start`); nothing is tried again then. */
  readonly refusal: Promise<AshlarError>;
  /** Whether the registry knows the node, as far as the last call showed. */
  isRegistered(): boolean;
  /** Whether the registry did not let the node in: the cluster keys differ. */
  isRefused(): boolean;
  /** Whether it did not let the node in because its clock is ahead of the node's. */
  isClockOff(): boolean;
  /** Whether another node, at another URL, holds the node id. This node waits until the other has stopped or is down. */
  isIdHeld(): boolean;
  /** Whether copies that the node held are still missing, as far as the last call showed. */
  hasLostDisk(): boolean;
  /** Marks the node as stopped (best effort) and ends the background work. Idempotent. */
  stop(): Promise<void>;
}

/** Options of {@link createMembership}. */
export interface MembershipOptions {
  readonly registry: NodeRegistry;
  readonly stats: () => Promise<NodeStats>;
  readonly damagedCopies: DamagedCopies;
  readonly heartbeatIntervalMs?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Registers a node and keeps it alive.
 *
 * A registry that forgot the node (restored database) gets a new registration at once. While the registry is away the node retries with full
 * jitter, from RETRY_BASE_MS up to the heartbeat interval, and then registers again: the registry may hold another record by now.
 */
export function createMembership(options: MembershipOptions): Membership {
  const { clock, random, logger } = options;
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? LIMITS.HEARTBEAT_INTERVAL_MS;
  const measured = measuredCalls(options);
  const gatewayClock = watchGatewayClock(options.metrics);
  const abort = new AbortController();
  let registration: Registration | undefined;
  let registered = false;
  let refused = false;
  let idHeld = false;
  let lostDisk = false;
  let isFirst = true;
  let failureCount = 0;
  let running: Promise<void> | undefined;

  let fault: AshlarError | undefined;
  let refuse: (error: AshlarError) => void = () => {};
  const refusal = new Promise<AshlarError>((resolve) => {
    refuse = resolve;
  });

  /** Stops for good: the registry would give the same answer to the same registration. */
  const giveUp = (error: AshlarError, { nodeId, url }: Registration): void => {
    fault = error;
    logger.error({ error, nodeId, url: shownUrl(url) }, "the registry refuses this node's registration for good");
    abort.abort();
    refuse(error);
  };
  const beat = async (known: Registration): Promise<void> => {
    try {
      const hasLostDisk = await callRegistry(options, measured, { known, registered, isFirst });
      isFirst = false;
      if (lostDisk && !hasLostDisk) logger.info({ nodeId: known.nodeId }, "every copy of the lost disk is restored");
      lostDisk = hasLostDisk;
      registered = true;
      refused = false;
      idHeld = false;
      gatewayClock.note(undefined);
      failureCount = 0;
    } catch (error) {
      if (abort.signal.aborted) return;
      if (!registered && isFinal(error)) return giveUp(error, known);
      registered = false;
      gatewayClock.note(error);
      refused = AshlarError.is(error, "UNAUTHENTICATED") || AshlarError.is(error, "PERMISSION_DENIED");
      idHeld = AshlarError.is(error, "PRECONDITION_FAILED");
      // A forgotten node is no failure of the registry: register at once.
      if (!AshlarError.is(error, "NODE_NOT_FOUND") || failureCount > 0) failureCount++;
      // It was left out of the layout while it was away, or forgotten: it joins again at once, which is no fault.
      const level = failureCount === 0 ? "info" : "warn";
      logger[level](
        { error, nodeId: known.nodeId, failureCount },
        whyNot({ idHeld, refused, aheadMs: gatewayClock.aheadMs() }),
      );
    }
  };
  const pauseMs = (): number =>
    registered ? heartbeatIntervalMs : random.fraction() * backoffMs(failureCount, heartbeatIntervalMs);
  const keepAlive = async (known: Registration): Promise<void> => {
    while (!abort.signal.aborted) {
      await clock.sleep(pauseMs(), { signal: abort.signal }).catch(() => {});
      if (!abort.signal.aborted) await beat(known);
    }
  };
  return {
    async start(given) {
      registration = given;
      await beat(given);
      if (fault !== undefined) throw fault;
      running = keepAlive(given);
    },
    refusal,
    isRegistered: () => registered,
    isRefused: () => refused && gatewayClock.aheadMs() === 0,
    isClockOff: () => gatewayClock.aheadMs() > 0,
    isIdHeld: () => idHeld,
    hasLostDisk: () => lostDisk,
    async stop() {
      if (abort.signal.aborted) return;
      abort.abort();
      await running;
      if (registration === undefined || !registered) return;
      const { nodeId } = registration;
      registered = false;
      await tellStopped(options, measured, nodeId);
    },
  };
}

/** Longest pause before the next try to register. */
function backoffMs(failureCount: number, heartbeatIntervalMs: number): number {
  return failureCount === 0 ? 0 : Math.min(LIMITS.RETRY_BASE_MS * 2 ** failureCount, heartbeatIntervalMs);
}

/** How far the clock of the gateway that the node registers with is ahead of the node's. */
interface GatewayClock {
  /** Takes what a call failed with; `undefined`: it succeeded. */
  note(error: unknown): void;
  /** 0 unless the gateway refuses the node for it. */
  aheadMs(): number;
}

function watchGatewayClock(metrics: Metrics): GatewayClock {
  const gauge = metrics.gauge({
    name: "ashlar_node_registry_clock_ahead_seconds",
    help: "How far the gateway's clock is ahead of this node's, if the gateway refuses the node for that; else 0",
  });
  let aheadMs = 0;
  return {
    note(error) {
      // The transport has renewed a grant that was refused: the age of the new one is how far the clocks differ.
      const ageMs = AshlarError.is(error, "UNAUTHENTICATED") ? Number(error.details.grantAgeMs ?? 0) : 0;
      if (ageMs !== aheadMs) gauge.set(ageMs / 1000);
      aheadMs = ageMs;
    },
    aheadMs: () => aheadMs,
  };
}

type Registration = Omit<NodeRegistration, "chunkCount">;

/** Registers the node, or sends a heartbeat. @returns whether copies that the node held are missing. */
async function callRegistry(
  { registry, stats, damagedCopies, logger }: MembershipOptions,
  measured: Measured,
  {
    known,
    registered,
    isFirst,
  }: { readonly known: Registration; readonly registered: boolean; readonly isFirst: boolean },
): Promise<boolean> {
  const now = await stats();
  if (registered) {
    const damagedChunkIds = await damagedCopies.next();
    const beat = { nodeId: known.nodeId, stats: now, ...(damagedChunkIds && { damagedChunkIds }) };
    const { hasLostDisk } = await measured("heartbeat", (signal) => registry.heartbeat(beat, { signal }));
    if (damagedChunkIds !== undefined) damagedCopies.told(damagedChunkIds);
    return hasLostDisk ?? false;
  }
  // Later ones are of the same folder, from which chunks may have been collected since the last heartbeat: no chunks are no lost disk then.
  const given = isFirst ? { ...known, chunkCount: now.chunkCount } : known;
  const answer = await measured("register", (signal) => registry.registerNode(given, { signal }));
  tellRegistered(logger, known, answer);
  return answer.lostDisk !== undefined;
}

/** Best effort: three missed heartbeats tell the same. */
async function tellStopped(
  { registry, stats, logger }: MembershipOptions,
  measured: Measured,
  nodeId: string,
): Promise<void> {
  try {
    // What was collected since the last heartbeat must not look lost at the next start.
    const beat = { nodeId, stats: await stats() };
    await measured("heartbeat", (signal) => registry.heartbeat(beat, { signal }));
    await measured("stop", (signal) => registry.stopNode(nodeId, { signal }));
  } catch (error) {
    logger.warn({ error, nodeId }, "the registry could not be told that this node stops");
  }
}

/** Whether the registry gives the same answer to the same registration for good. */
function isFinal(error: unknown): error is AshlarError {
  if (AshlarError.is(error, "INVALID_ARGUMENT")) return true;
  return AshlarError.is(error, "PRECONDITION_FAILED") && error.details.reason === "LOST_DISK";
}

function tellRegistered(logger: Logger, { nodeId, url }: Registration, answer: RegisteredNode): void {
  const { layoutVersion, lostDisk } = answer;
  logger.info({ nodeId, url: shownUrl(url), layoutVersion }, "registered");
  if (lostDisk === undefined) return;
  const { kind, atMs, chunkCount, bytesUsed } = lostDisk;
  logger.error(
    { nodeId, kind, atMs, chunkCount, bytesUsed },
    `this node lost its disk: ${lostDiskWords(kind)}; ${lostDiskAction(lostDisk)}`,
  );
}

type Measured = <Result>(
  call: "register" | "heartbeat" | "stop",
  run: (signal: AbortSignal) => Promise<Result>,
) => Promise<Result>;

/** Runs calls to the registry under a time limit and measures them. */
function measuredCalls({ clock, metrics }: MembershipOptions): Measured {
  const durations = metrics.histogram({
    name: "ashlar_node_registry_call_duration_seconds",
    help: "Registering, heartbeats and stopping, as the node sees them",
    labelNames: ["call"],
    buckets: DURATION_BUCKETS_SECONDS,
  });
  const failures = metrics.counter({
    name: "ashlar_node_registry_call_failures_total",
    help: "Calls to the registry that failed",
    labelNames: ["call", "code"],
  });
  return async (call, run) => {
    const startedMs = clock.monotonicMs();
    const timeout = new AbortController();
    const done = new AbortController();
    clock.sleep(CALL_TIMEOUT_MS, { signal: done.signal }).then(
      () => timeout.abort(new AshlarError("DEADLINE_EXCEEDED", "the registry did not answer in time")),
      () => {},
    );
    try {
      return await run(timeout.signal);
    } catch (error) {
      failures.add(1, { call, code: AshlarError.from(error).code });
      throw error;
    } finally {
      done.abort();
      durations.observe((clock.monotonicMs() - startedMs) / 1000, { call });
    }
  };
}

function whyNot({
  idHeld,
  refused,
  aheadMs,
}: {
  readonly idHeld: boolean;
  readonly refused: boolean;
  readonly aheadMs: number;
}): string {
  if (aheadMs > 0)
    return `the gateway takes this node's grants for old ones: its clock is ${formatDuration(aheadMs)} ahead of this node's; set both right (NTP); trying again`;
  if (idHeld) return "another node runs under this node id; trying again until it has stopped";
  if (refused)
    return "the registry refuses this node: see that both have the same CLUSTER_KEY, and clocks that agree within a minute; trying again";
  return "the registry does not know this node; trying again";
}
