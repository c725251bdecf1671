import {
  createClusterView,
  createEngine,
  createReplicatedStore,
  type EngineOptions,
  type ReplicatedStore,
  type RetryPolicy,
  type Topology,
} from "@ashlar/sdk/engine";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type Clock,
  type Durability,
  guardedLogger,
  guardedTracer,
  type Hasher,
  type Logger,
  type MetadataStore,
  type ObjectEngine,
  type Random,
  type RemainingWork,
  type Tracer,
} from "@ashlar/sdk/ports";
import { createPieceBuffers } from "../chunk-api/index.ts";
import { type ClusterKeys, createGrantKeeper, type GrantKeeper } from "../grants/index.ts";
import { answersInTime } from "../http/answers-in-time.ts";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import type { CorsOptions } from "../http/cors.ts";
import type { Descriptors } from "../http/descriptors.ts";
import { type FetchHandler, toFetchHandler } from "../http/fetch-handler.ts";
import { GATEWAY_PATHS } from "../http/gateway-paths.ts";
import type { Readiness } from "../http/health-routes.ts";
import type { HttpRoute } from "../http/router.ts";
import { createServerHandlers, type ServerHandlers } from "../http/server-handler.ts";
import { createServingState, type ServingState } from "../http/serving-state.ts";
import type { Metrics } from "../observability/metrics.ts";
import { type Authenticator, createAuthenticator, insecureAuthenticator } from "./auth/authenticator.ts";
import { createBadCopies } from "./bad-copies.ts";
import { type ClockWatch, createClockWatch } from "./clock-watch.ts";
import { createLayoutView } from "./commit/layout-view.ts";
import { gatewayChunkApi } from "./gateway-chunk-api.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { createGatewayOperations } from "./operations/index.ts";
import { CHUNK_RETRY } from "./own-chunks.ts";
import { createAccessTokenRoute } from "./plain-http/access-tokens.ts";
import { createObjectRoutes } from "./plain-http/object-routes.ts";
import { createRefusalWatch, type RefusalWatch } from "./refusal-watch.ts";
import { gatewayRpcRoutes } from "./rpc/rpc-routes.ts";

/** What {@link createGatewayCore} takes. */
export interface GatewayCoreOptions {
  /** The caller closes it. */
  readonly metadata: MetadataStore;
  /** Where chunks lie: in a cluster, or in one local store. Closed with the gateway. */
  readonly topology: Topology;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Makes a span of each request. Stores and transports make their own spans if they are given the tracer too. Default: none. */
  readonly tracer?: Tracer | undefined;
  readonly softwareVersion: string;

  /** Secret of the cluster, at least 32 characters; there is no default. Needed unless `insecure` or `grants` is given. */
  readonly clusterKey?: ClusterKeys | undefined;
  /** A keeper that exists already, instead of `clusterKey`. */
  readonly grants?: GrantKeeper | undefined;
  /** Lets everybody do everything, and says so in the log. */
  readonly insecure?: boolean | undefined;

  /** Objects up to this many bytes live in their metadata row; default INLINE_MAX_BYTES. */
  readonly inlineMaxBytes?: number | undefined;
  /** Largest chunk in bytes that is accepted; default CHUNK_MAX_BYTES_DEFAULT. */
  readonly chunkMaxBytes?: number | undefined;
  /** Chunker of writes through the gateway's own engine; default `fixed(CHUNK_DEFAULT_BYTES)`. */
  readonly chunker?: EngineOptions["chunker"];
  /** Durability of writes that name none; default `strict`. */
  readonly durability?: Durability | undefined;

  /**
   * How long stores keep a chunk that was claimed and not committed, in ms; default CLAIM_TTL_MS. Uploads must end within this time. It must be the
   * same on every gateway of a cluster, because any of them collects.
   */
  readonly claimTtlMs?: number | undefined;

  /** As `ChunkApiOptions.proofsOfPossession`; default off. */
  readonly proofsOfPossession?: boolean | undefined;

  /** Health, metrics and reflection are answered by `handlers.operations` alone; default: by `handlers.handler` too. */
  readonly operationsApart?: boolean | undefined;
  /** Default: no web page may call. */
  readonly cors?: CorsOptions | undefined;
  readonly requestsInFlightMax?: number | undefined;
  /** Of the process, if the gateway is all of it. Default: it takes CONNECTIONS_MAX connections. */
  readonly descriptors?: Descriptors | undefined;
  /** Bytes of request bodies held at once; default BYTES_IN_FLIGHT_MAX. */
  readonly bytesInFlightMax?: number | undefined;

  /** What clients are told of the work that is left, such as `remainingWork` of a maintenance. Default: nothing. */
  readonly remainingWork?: (() => RemainingWork | undefined) | undefined;
}

/** No retries here: metadata stores wait for their database, and clients retry their calls of the gateway. */
const CATALOG_RETRY: RetryPolicy = Object.freeze({ forMs: 0 });

/** What a gateway does with requests, wherever they come from. */
export interface GatewayCore {
  /** The object API, in process and without access control. */
  readonly engine: ObjectEngine;
  /** Answers a listener's requests; see `createServerPorts` of `@ashlar/server/http`. */
  readonly handlers: ServerHandlers;
  /** Answers requests without a port, for fetch-style servers; gRPC proper needs a port. */
  readonly fetch: FetchHandler;
  /** Everybody may do everything. */
  readonly insecure: boolean;
  /** The given topology, which also notes the nodes that do not let this gateway in. For maintenance in the same process. */
  readonly topology: Topology;
  /** The chunks of the topology as one store. For maintenance in the same process. */
  readonly chunks: ReplicatedStore;
  /** Tells health checks that the gateway serves; to be called when it listens. Requests are answered before that, too. */
  start(): void;
  /** Tells health checks that the gateway stops. Requests are answered until {@link close}; those of the chunk API with NODE_UNAVAILABLE. */
  stop(): void;
  /** Closes engine and topology; to be called when no request runs. Idempotent. */
  close(): Promise<void>;
}

/**
 * Creates the core of a gateway: the object engine behind RPCs, plain HTTP and a chunk API. It opens no port and does nothing by itself.
 *
 * @throws {AshlarError} INVALID_ARGUMENT without a cluster key, unless insecure.
 */
export function createGatewayCore(given: GatewayCoreOptions): GatewayCore {
  const logger = guardedLogger(given.logger);
  const { clock, random, metrics } = given;
  const clocks = createClockWatch({ clock, logger, metrics });
  const watch = createRefusalWatch(given.topology, { clock, logger, clocks });
  const { topology } = watch;
  const tracer = guardedTracer(given.tracer);
  const options = { ...given, logger, tracer, topology };
  const context = createContext(options, clocks);
  const operations = createGatewayOperations(context);
  const serving = createServingState();
  let stopping = false;
  const startedAtMs = clock.monotonicMs();
  const chunkApi = gatewayChunkApi(context, {
    softwareVersion: options.softwareVersion,
    uptimeMs: () => clock.monotonicMs() - startedAtMs,
    isStopping: () => stopping,
    proofsOfPossession: options.proofsOfPossession,
  });
  const objects = {
    ...{ name: "objects", handler: createObjectRoutes({ ...operations, clock }) },
    // The chunk that is being filled; CHUNK_WRITES_MAX bounds those that are being stored.
    heldMaxBytes: LIMITS.CHUNK_DEFAULT_BYTES,
  };
  const routes: Readonly<Record<(typeof GATEWAY_PATHS)[number], Omit<HttpRoute, "path">>> = {
    "/objects": objects,
    "/objects/": objects,
    "/access-tokens": { name: "access-tokens", handler: createAccessTokenRoute(operations) },
  };
  const handlers = createServerHandlers({
    rpcRoutes: [gatewayRpcRoutes(operations, context), chunkApi.rpcRoutes],
    httpRoutes: [...GATEWAY_PATHS.map((path) => ({ path, ...routes[path] })), ...chunkApi.httpRoutes],
    serving,
    readiness: () => readinessOf(options, serving, { watch, clocks }),
    requestsInFlightMax: options.requestsInFlightMax,
    bytesInFlightMax: options.bytesInFlightMax,
    operationsApart: options.operationsApart,
    descriptors: options.descriptors,
    cors: options.cors,
    logger,
    metrics,
    tracer,
    clock,
    random,
  });
  let closing: Promise<void> | undefined;
  return {
    engine: context.engine,
    handlers,
    fetch: toFetchHandler(handlers.handler),
    insecure: context.insecure,
    topology,
    chunks: context.chunks,
    start: () => serving.set("serving"),
    stop() {
      stopping = true;
      serving.set("not-serving");
    },
    close() {
      closing ??= context.badCopies.close().then(() => context.engine.close());
      return closing;
    },
  };
}

function createContext(options: GatewayCoreOptions, clocks: ClockWatch): GatewayContext {
  const { metadata, topology, hasher, clock, random, logger, clusterKey } = options;
  const { inlineMaxBytes, chunker, durability = "strict", insecure = false } = options;
  const { claimTtlMs = LIMITS.CLAIM_TTL_MS } = options;
  const limits = {
    inlineMaxBytes: inlineMaxBytes ?? LIMITS.INLINE_MAX_BYTES,
    chunkMaxBytes: options.chunkMaxBytes ?? LIMITS.CHUNK_MAX_BYTES_DEFAULT,
  };
  let grants = options.grants;
  if (grants === undefined && (clusterKey !== undefined || !insecure)) {
    grants = createGrantKeeper({ clusterKey, clock, random });
  }
  const badCopies = createBadCopies({ metadata, topology, clock, logger, metrics: options.metrics });
  const chunks = createReplicatedStore({ topology, hasher, clock, random, logger, onBadCopy: badCopies.note });
  const engineOptions = {
    catalog: metadata,
    topology,
    chunks,
    hasher,
    clock,
    random,
    logger,
    inlineMaxBytes,
    chunker,
    durability,
    claimTtlMs,
    chunkWritesMax: HTTP_LIMITS.CHUNK_WRITES_MAX.value,
    retry: CATALOG_RETRY,
    chunkRetry: CHUNK_RETRY,
  };
  return Object.freeze({
    engine: createEngine(engineOptions),
    metadata,
    topology,
    chunks,
    badCopies,
    layouts: createLayoutView(
      topology.view ?? createClusterView({ registry: metadata, clock, logger }),
      metadata,
      clock,
    ),
    grants,
    insecure,
    authenticator: authenticatorOf(options, grants),
    hasher,
    clock,
    random,
    logger,
    clocks,
    remainingWork: options.remainingWork ?? (() => undefined),
    durability,
    claimTtlMs,
    limits,
    buffers: createPieceBuffers(),
  });
}

function authenticatorOf(options: GatewayCoreOptions, grants: GrantKeeper | undefined): Authenticator {
  const { metadata, clock, logger, insecure } = options;
  if (insecure === true || grants === undefined) return insecureAuthenticator;
  return createAuthenticator({ credentials: metadata, grants, clock, logger });
}

async function readinessOf(
  { metadata, topology, clock }: Pick<GatewayCoreOptions, "metadata" | "topology" | "clock">,
  serving: ServingState,
  { watch, clocks }: { readonly watch: RefusalWatch; readonly clocks: ClockWatch },
): Promise<Readiness> {
  const [found, refusals] = await Promise.all([
    answersInTime(clock, (signal) => metadata.ping({ signal })).catch(() => "away" as const),
    watch.refusals(),
  ]);
  const database = found === "late" ? "does not answer" : (found ?? "ok");
  const listening = serving.get() === "serving" ? "ok" : "stopping";
  // With an old view of the cluster the gateway goes on serving; `health` tells operators what that means.
  const view = topology.viewFailure?.() === undefined ? {} : { "cluster view": "not renewed" as const };
  const nodes = Object.fromEntries([
    ...refusals.nodeIds.map((id) => [`node ${id}`, "another cluster key" as const] as const),
    ...[...clocks.differing().keys()].sort().map((id) => [`node ${id}`, "its clock differs" as const] as const),
  ]);
  return {
    // Other gateways may be let in where this one is not.
    ready: database === "ok" && listening === "ok" && !refusals.isByAll,
    checks: { ...nodes, metadata: database, gateway: listening, ...view },
  };
}
