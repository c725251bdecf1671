import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type Clock,
  type Logger,
  type NodeRegistration,
  type NodeRegistry,
  type NodeStats,
  type Random,
  type RegisteredNode,
  shownUrl,
} from "@ashlar/sdk/ports";
import { DURATION_BUCKETS_SECONDS, type Metrics } from "../observability/metrics.ts";
import { lostDiskAction, lostDiskWords } from "./lost-disk.ts";

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
  /** Whether the registry did not let the node in: the cluster keys differ, or the clocks. */
  isRefused(): boolean;
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
  const { registry, clock, random, logger } = options;
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? LIMITS.HEARTBEAT_INTERVAL_MS;
  const measured = measuredCalls(options);
  const abort = new AbortController();
  let registration: Registration | undefined;
  let registered = false;
  let refused = false;
  let idHeld = false;
  let lostDisk = false;
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
      const hasLostDisk = await callRegistry(options, measured, { known, registered });
      if (lostDisk && !hasLostDisk) logger.info({ nodeId: known.nodeId }, "every copy of the lost disk is restored");
      lostDisk = hasLostDisk;
      registered = true;
      refused = false;
      idHeld = false;
      failureCount = 0;
    } catch (error) {
      if (abort.signal.aborted) return;
      if (!registered && isFinal(error)) return giveUp(error, known);
      registered = false;
      refused = AshlarError.is(error, "UNAUTHENTICATED") || AshlarError.is(error, "PERMISSION_DENIED");
      idHeld = AshlarError.is(error, "PRECONDITION_FAILED");
      // A forgotten node is no failure of the registry: register at once.
      if (!AshlarError.is(error, "NODE_NOT_FOUND") || failureCount > 0) failureCount++;
      logger.warn({ error, nodeId: known.nodeId, failureCount }, whyNot({ idHeld, refused }));
    }
  };
  const pauseMs = (): number => {
    if (registered) return heartbeatIntervalMs;
    if (failureCount === 0) return 0;
    const ceilingMs = Math.min(LIMITS.RETRY_BASE_MS * 2 ** failureCount, heartbeatIntervalMs);
    return random.fraction() * ceilingMs;
  };
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
    isRefused: () => refused,
    isIdHeld: () => idHeld,
    hasLostDisk: () => lostDisk,
    async stop() {
      if (abort.signal.aborted) return;
      abort.abort();
      await running;
      if (registration === undefined || !registered) return;
      const { nodeId } = registration;
      registered = false;
      try {
        await measured("stop", (signal) => registry.stopNode(nodeId, { signal }));
      } catch (error) {
        logger.warn({ error, nodeId }, "the registry could not be told that this node stops");
      }
    },
  };
}

type Registration = Omit<NodeRegistration, "chunkCount">;

/** Registers the node, or sends a heartbeat. @returns whether copies that the node held are missing. */
async function callRegistry(
  { registry, stats, logger }: MembershipOptions,
  measured: Measured,
  { known, registered }: { readonly known: Registration; readonly registered: boolean },
): Promise<boolean> {
  const now = await stats();
  if (registered) {
    const beat = { nodeId: known.nodeId, stats: now };
    const { hasLostDisk } = await measured("heartbeat", (signal) => registry.heartbeat(beat, { signal }));
    return hasLostDisk ?? false;
  }
  const { chunkCount } = now;
  const answer = await measured("register", (signal) => registry.registerNode({ ...known, chunkCount }, { signal }));
  tellRegistered(logger, known, answer);
  return answer.lostDisk !== undefined;
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

function whyNot({ idHeld, refused }: { readonly idHeld: boolean; readonly refused: boolean }): string {
  if (idHeld) return "another node runs under this node id; trying again until it has stopped";
  if (refused)
    return "the registry refuses this node: see that both have the same CLUSTER_KEY, and clocks that agree within a minute; trying again";
  return "the registry does not know this node; trying again";
}
