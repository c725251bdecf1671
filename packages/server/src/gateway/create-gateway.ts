import {
  createClusterView,
  createEngine,
  createReplicatedStore,
  type EngineOptions,
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
  type ObjectBackend,
  type Random,
  type Tracer,
} from "@ashlar/sdk/ports";
import { createPieceBuffers } from "../chunk-face/index.ts";
import { type ClusterKeys, createGrantKeeperLazily, type GrantKeeper } from "../grants/index.ts";
import { answersInTime } from "../http/answers-in-time.ts";
import type { CorsOptions } from "../http/cors.ts";
import { type FetchHandler, toFetchHandler } from "../http/fetch-handler.ts";
import { HTTP_LIMITS } from "../http/http-limits.ts";
import type { Readiness } from "../http/operations.ts";
import { createServerHandlers } from "../http/server-handler.ts";
import { createServerPorts, type ServerAddress } from "../http/server-ports.ts";
import { createServingState, type ServingState } from "../http/serving-state.ts";
import type { TlsOptions } from "../http/tls.ts";
import { createMaintenance, type MaintenanceOptions } from "../maintenance/index.ts";
import type { Metrics } from "../observability/metrics.ts";
import { type Authenticator, createAuthenticator, insecureAuthenticator } from "./auth/authenticator.ts";
import { createLayoutView } from "./commit/layout-view.ts";
import { gatewayChunkFace } from "./gateway-chunk-face.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { createGatewayOperations } from "./operations/index.ts";
import { CHUNK_RETRY } from "./own-chunks.ts";
import { createRefusalWatch, type RefusalWatch } from "./refusal-watch.ts";
import { ACCESS_TOKENS_PATH, createAccessTokenRoute } from "./rest/access-tokens.ts";
import { OBJECTS_ROOT } from "./rest/object-path.ts";
import { createObjectRoutes } from "./rest/object-routes.ts";
import { gatewayRpcRoutes } from "./rpc/rpc-routes.ts";

/** What {@link createGateway} takes. */
export interface GatewayOptions {
  /** Stays the caller's to close. */
  readonly metadata: MetadataStore;
  /** Where chunks lie: a cluster's, or that of one local store. Closed with the gateway. */
  readonly topology: Topology;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Makes a span of each request. Stores and transports make theirs where they are given it too. Default: none. */
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
  /** Largest chunk in bytes that is taken; default CHUNK_MAX_BYTES_DEFAULT. */
  readonly chunkMaxBytes?: number | undefined;
  /** Of writes through the gateway's own engine; default `fixed(CHUNK_DEFAULT_BYTES)`. */
  readonly chunker?: EngineOptions["chunker"];
  /** Of writes that name none; default `strict`. */
  readonly durability?: Durability | undefined;

  /**
   * How long stores keep a chunk that was claimed and not committed, in ms; default CLAIM_TTL_MS. Uploads must end within it; the same on every gateway
   * of a cluster, because any of them collects.
   */
  readonly claimTtlMs?: number | undefined;

  /** As `ChunkFaceOptions.proofsOfPossession`; default off. */
  readonly proofsOfPossession?: boolean | undefined;

  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Of health, metrics and reflection, which `port` has no more then; 0: any free port. Default: `port` has them too. */
  readonly operationsPort?: number | undefined;
  /** Default: `host`. */
  readonly operationsHost?: string | undefined;
  /** Default: no web page may call. */
  readonly cors?: CorsOptions | undefined;
  readonly requestsInFlightMax?: number | undefined;
  /** Bytes of request bodies held at once; default BYTES_IN_FLIGHT_MAX. */
  readonly bytesInFlightMax?: number | undefined;
  /** Background work while the gateway listens, with its settings; `false`: none (another gateway does it). Default: on. */
  readonly maintenance?: Partial<Pick<MaintenanceOptions, MaintenanceSetting>> | false | undefined;
}

/** Metadata stores wait for their database by themselves, and clients for the gateway. */
const CATALOG_RETRY: RetryPolicy = Object.freeze({ forMs: 0 });

type MaintenanceSetting = "collectIntervalMs" | "repairIntervalMs" | "graceMs" | "uploadTtlMs";

/** A gateway: stateless, so any number may serve one database. */
export interface Gateway {
  /** Opens the port and starts background work. @throws {AshlarError} INVALID_ARGUMENT if the address cannot be had. */
  listen(): Promise<ServerAddress>;
  /** Gives new connections another certificate. @throws {AshlarError} INVALID_ARGUMENT for one that does not do; the old one stays. */
  setTls(tls: TlsOptions): void;
  /** Lets running requests finish for `graceMs` (default SHUTDOWN_GRACE_MS), then closes engine and topology. Idempotent. */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
  /** Serves a request without a port, for fetch-style servers; gRPC proper needs the port. */
  readonly fetch: FetchHandler;
  /** The object API, in process and without access control. */
  readonly backend: ObjectBackend;
}

/**
 * Creates a gateway: the object engine behind RPCs, plain HTTP and a chunk face, on one port.
 *
 * @throws {AshlarError} INVALID_ARGUMENT without a cluster key, unless insecure.
 */
export function createGateway(given: GatewayOptions): Gateway {
  const logger = guardedLogger(given.logger);
  const { clock, random, metrics } = given;
  const watch = createRefusalWatch(given.topology, { clock, logger });
  const { topology } = watch;
  const tracer = guardedTracer(given.tracer);
  const options = { ...given, logger, tracer, topology };
  const context = createContext(options);
  const operations = createGatewayOperations(context);
  const serving = createServingState();
  const startedAtMs = clock.monotonicMs();
  const chunkFace = gatewayChunkFace(context, {
    softwareVersion: options.softwareVersion,
    uptimeMs: () => clock.monotonicMs() - startedAtMs,
    isStopping: () => closing !== undefined,
    proofsOfPossession: options.proofsOfPossession,
  });
  const objectRoutes = createObjectRoutes({ ...operations, clock });
  // The chunk that is being filled: those that are being stored have CHUNK_WRITES_MAX.
  const heldMaxBytes = LIMITS.CHUNK_DEFAULT_BYTES.value;
  const handlers = createServerHandlers({
    rpcRoutes: [gatewayRpcRoutes(operations, context), chunkFace.rpcRoutes],
    httpRoutes: [
      { path: OBJECTS_ROOT, name: "objects", handler: objectRoutes, heldMaxBytes },
      { path: `${OBJECTS_ROOT}/`, name: "objects", handler: objectRoutes, heldMaxBytes },
      { path: ACCESS_TOKENS_PATH, name: "access-tokens", handler: createAccessTokenRoute(operations) },
      ...chunkFace.httpRoutes,
    ],
    serving,
    readiness: () => readinessOf(options, serving, watch),
    requestsInFlightMax: options.requestsInFlightMax,
    bytesInFlightMax: options.bytesInFlightMax,
    operationsApart: options.operationsPort !== undefined,
    cors: options.cors,
    logger,
    metrics,
    tracer,
    clock,
    random,
  });
  const listener = createServerPorts({ ...options, handlers });
  const maintenance =
    options.maintenance === false
      ? undefined
      : createMaintenance({ ...options, chunks: context.chunks, ...options.maintenance });

  let closing: Promise<void> | undefined;
  const close = async (graceMs: number | undefined): Promise<void> => {
    serving.set("not-serving");
    await listener.close({ graceMs });
    // After the last write: its end takes the database a step further.
    await maintenance?.stop();
    await context.backend.close();
  };
  return {
    async listen() {
      const address = await listener.listen();
      serving.set("serving");
      maintenance?.start();
      logger.info({ url: address.url, insecure: context.insecure }, "gateway listens");
      if (context.insecure) logger.warn({}, "access control is off: everybody who reaches this port may do everything");
      return address;
    },
    close(closeOptions) {
      closing ??= close(closeOptions?.graceMs);
      return closing;
    },
    setTls: (tls) => listener.setTls(tls),
    fetch: toFetchHandler(handlers.handler),
    backend: context.backend,
  };
}

function createContext(options: GatewayOptions): GatewayContext {
  const { metadata, topology, hasher, clock, random, logger, clusterKey } = options;
  const { inlineMaxBytes, chunker, durability = "strict", insecure = false } = options;
  const { claimTtlMs = LIMITS.CLAIM_TTL_MS.value } = options;
  const limits = {
    inlineMaxBytes: inlineMaxBytes ?? LIMITS.INLINE_MAX_BYTES.value,
    chunkMaxBytes: options.chunkMaxBytes ?? LIMITS.CHUNK_MAX_BYTES_DEFAULT.value,
  };
  let grants = options.grants;
  if (grants === undefined && (clusterKey !== undefined || !insecure)) {
    grants = createGrantKeeperLazily({ clusterKey: clusterKey ?? "", clock, random });
  }
  const chunks = createReplicatedStore({ topology, hasher, clock, random, logger });
  const engine = {
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
    backend: createEngine(engine),
    metadata,
    topology,
    chunks,
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
    durability,
    claimTtlMs,
    limits,
    buffers: createPieceBuffers(),
  });
}

function authenticatorOf(options: GatewayOptions, grants: GrantKeeper | undefined): Authenticator {
  const { metadata, clock, logger, insecure } = options;
  if (insecure === true || grants === undefined) return insecureAuthenticator;
  return createAuthenticator({ credentials: metadata, grants, clock, logger });
}

async function readinessOf(
  { metadata, topology, clock }: Pick<GatewayOptions, "metadata" | "topology" | "clock">,
  serving: ServingState,
  watch: RefusalWatch,
): Promise<Readiness> {
  const [found, refusals] = await Promise.all([
    answersInTime(clock, (signal) => metadata.ping({ signal })).catch(() => "away" as const),
    watch.refusals(),
  ]);
  const database = found === "late" ? "does not answer" : (found ?? "ok");
  const listening = serving.get() === "serving" ? "ok" : "stopping";
  // With an old view of the cluster it serves on: what it means for an operator stands in `health`.
  const view = topology.viewFailure?.() === undefined ? {} : { "cluster view": "not renewed" as const };
  const nodes = Object.fromEntries(refusals.serverIds.map((id) => [`node ${id}`, "another cluster key" as const]));
  return {
    // Other gateways may be let in where this one is not.
    ready: database === "ok" && listening === "ok" && !refusals.isByAll,
    checks: { ...nodes, metadata: database, gateway: listening, ...view },
  };
}
