import { AshlarError } from "@ashlar/sdk/errors";
import { type Hasher, webCryptoHasher } from "@ashlar/sdk/hash";
import type { ChunkStore, Clock, Logger, NodeRegistry, NodeStats, Random, Tracer } from "@ashlar/sdk/ports";
import { checkedUrl, guardedLogger, guardedTracer, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createChunkApi } from "../chunk-api/index.ts";
import { type ClusterKeys, createGrantKeeper, type GrantKeeper } from "../grants/index.ts";
import { answersInTime } from "../http/answers-in-time.ts";
import {
  type CheckState,
  type CorsOptions,
  createServerHandlers,
  createServerPorts,
  createServingState,
  type Descriptors,
  type FetchHandler,
  type Readiness,
  type ServerAddress,
  type ServerHandlers,
  type TlsOptions,
  toFetchHandler,
} from "../http/index.ts";
import { type Metrics, noMetrics } from "../observability/metrics.ts";
import { SOFTWARE_VERSION } from "../observability/software-version.ts";
import { createScrub, type Scrub, type ScrubSettings } from "../scrub/index.ts";
import { createDamagedCopies } from "./damaged-copies.ts";
import { createDiskWatch, type DiskWatch } from "./disk-watch.ts";
import { gatewayHintRoutes } from "./gateway-hint.ts";
import { createMembership, type Membership } from "./membership.ts";
import { assertNodeId } from "./node-id.ts";
import { storeGauges } from "./node-metrics.ts";

/** Options of {@link createStorageNode}. */
export interface StorageNodeOptions {
  /** 1 to 64 characters of [A-Za-z0-9._-]; the same for the life of the data. */
  readonly nodeId: string;
  /** Holds the chunks. The caller opens it, and closes it after the node. */
  readonly store: ChunkStore;
  /** Id of the folder that holds the chunks, made with the folder: so a replaced disk and a wrong mount are noticed. Default: only empty stores are. */
  readonly folderId?: string | undefined;
  /**
   * Default false: a node whose store lacks chunks that the registry remembers serves, and its copies are restored. True: `listen` and `refused` say
   * PRECONDITION_FAILED, with the detail `reason` LOST_DISK.
   */
  readonly refuseLostDisk?: boolean | undefined;
  /** Where the node registers. Without a registry it serves chunks, but nobody finds it. */
  readonly registry?: NodeRegistry | undefined;
  /** Base URL under which others reach the node; default: where it listens. */
  readonly publicUrl?: string | undefined;
  /** Failure domain. */
  readonly zone?: string | undefined;
  /** Relative share of the ring, default 1. */
  readonly weight?: number | undefined;
  /** The key that the cluster's servers share, at least 32 characters. Either this, `grants`, or `insecure`. */
  readonly clusterKey?: ClusterKeys | undefined;
  readonly grants?: GrantKeeper | undefined;
  /** Everybody who reaches the port may read, write and delete. Never a default. */
  readonly insecure?: boolean | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Port of health, metrics and reflection; `port` then no longer has them. 0: any free port. Default: `port` has them too. */
  readonly operationsPort?: number | undefined;
  /** Default: `host`. */
  readonly operationsHost?: string | undefined;
  readonly cors?: CorsOptions | undefined;
  /** Largest chunk; default: the store's, at most CHUNK_MAX_BYTES_DEFAULT. */
  readonly chunkMaxBytes?: number | undefined;
  readonly requestsInFlightMax?: number | undefined;
  /** Bytes of request bodies held at once; default BYTES_IN_FLIGHT_MAX. */
  readonly bytesInFlightMax?: number | undefined;
  /** Of the process, if the node is all of it. Default: it takes CONNECTIONS_MAX connections. */
  readonly descriptors?: Descriptors | undefined;
  readonly heartbeatIntervalMs?: number | undefined;
  /** When and how fast the node checks its chunks while it listens, if its store can; `false`: never. Default: on. */
  readonly scrub?: ScrubSettings | false | undefined;
  /** Free bytes of the disk below which the node only reads; default DISK_RESERVE_BYTES. */
  readonly diskReserveBytes?: number | undefined;
  /** Release of the software, shown to operators; default: that of this package. */
  readonly softwareVersion?: string | undefined;
  readonly hasher?: Hasher | undefined;
  /** As `ChunkApiOptions.proofsOfPossession`; default off. */
  readonly proofsOfPossession?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
  /** Makes a span of each request. A store makes its own spans if it is given the tracer too. Default: none. */
  readonly tracer?: Tracer | undefined;
}

/** A storage node: chunks over RPC and HTTP, and a place in the cluster. */
export interface StorageNode {
  /**
   * Starts to serve, then tries to register; a registry that is away does not make it fail. May be called once.
   *
   * @throws {AshlarError} INVALID_ARGUMENT if the address cannot be used, or the registry rejects the registration as invalid; PRECONDITION_FAILED
   *   with `refuseLostDisk`. The port is closed again.
   */
  listen(): Promise<ServerAddress>;
  /** Resolves with the error when the registry refuses the registration, as `listen` throws it. That is final: close the node. Else pending. */
  readonly refused: Promise<AshlarError>;
  /** Gives new connections another certificate. @throws {AshlarError} INVALID_ARGUMENT if it cannot be used; the old one stays. */
  setTls(tls: TlsOptions): void;
  /**
   * Shuts down in order: tells the registry, lets running requests finish for `graceMs` (default SHUTDOWN_GRACE_MS), closes the port. The node
   * stays in the layout, and the store stays open. Idempotent.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
  /** The same API for a fetch-style server; works without `listen()`. */
  readonly fetch: FetchHandler;
}

/**
 * Creates a storage node around a chunk store.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a bad node id or public URL, a short cluster key, or if neither key nor `insecure` is given.
 */
export function createStorageNode(given: StorageNodeOptions): StorageNode {
  const logger = guardedLogger(given.logger);
  const options = { ...given, logger, tracer: guardedTracer(given.tracer) };
  const parts = assemble(options);
  const { handlers, membership, serving } = parts;
  const listener = createServerPorts({ ...options, handlers });
  const publicUrl = options.publicUrl === undefined ? undefined : checkedUrl(options.publicUrl);
  let closing: Promise<void> | undefined;
  const close = async (closeOptions?: { readonly graceMs?: number | undefined }): Promise<void> => {
    serving.set("not-serving");
    await parts.scrub.stop();
    await membership?.stop();
    // Only now: until the registry knew of the stop, gateways kept sending requests.
    parts.stop();
    await listener.close(closeOptions);
  };
  const node: StorageNode = {
    refused: membership?.refusal ?? new Promise(() => {}),
    setTls: (tls) => listener.setTls(tls),
    fetch: toFetchHandler(handlers.handler),
    async listen() {
      const address = await listener.listen();
      await parts.disk.stats();
      const { nodeId, zone, weight, softwareVersion = SOFTWARE_VERSION, folderId, refuseLostDisk } = options;
      const url = publicUrl ?? address.url;
      try {
        await membership?.start({ nodeId, url, zone, weight, softwareVersion, folderId, refuseLostDisk });
      } catch (error) {
        await node.close({ graceMs: 0 });
        throw error;
      }
      parts.scrub.start();
      logger.info({ nodeId, url: address.url, publicUrl: url }, "storage node listens");
      return address;
    },
    close(closeOptions) {
      closing ??= close(closeOptions);
      return closing;
    },
  };
  return node;
}

interface NodeParts {
  readonly handlers: ServerHandlers;
  readonly disk: DiskWatch;
  readonly scrub: Scrub;
  readonly membership: Membership | undefined;
  readonly serving: ReturnType<typeof createServingState>;
  /** Makes the node answer calls with NODE_UNAVAILABLE from now on. */
  readonly stop: () => void;
}

function assemble(options: StorageNodeOptions & { readonly logger: Logger }): NodeParts {
  const { nodeId, store, registry, clock = systemClock, random = systemRandom, logger } = options;
  const metrics = options.metrics ?? noMetrics;
  assertNodeId(nodeId);
  const grants = grantsOf(options, clock, random);
  if (grants === undefined) logger.warn({ nodeId }, "insecure: everybody may read, write and delete chunks here");
  const { chunkMaxBytes, requestsInFlightMax, cors, heartbeatIntervalMs } = options;
  const disk = createDiskWatch({ store, clock, logger, reserveBytes: options.diskReserveBytes });
  const showStore = storeGauges(metrics);
  let hasDamage = false;
  const stats = async (): Promise<NodeStats> => {
    const seen = await disk.stats();
    hasDamage = (seen.damagedCount ?? 0) > 0;
    const { chunkCount, bytesUsed, bytesFree = 0, bytesTotal = 0 } = seen;
    showStore(seen, disk.isFull());
    return { chunkCount, bytesUsed, bytesFree, bytesTotal };
  };
  const damagedCopies = createDamagedCopies({ store, clock, logger });
  const membership =
    registry &&
    createMembership({ registry, stats, damagedCopies, heartbeatIntervalMs, clock, random, logger, metrics });
  const settings = options.scrub === false ? { scrubPeriodMs: 0 } : options.scrub;
  const scrub = createScrub({ ...settings, store, clock, random, logger, metrics });
  const startedMs = clock.monotonicMs();
  let stopping = false;
  const api = createChunkApi({
    store,
    grants,
    nodeId,
    chunkMaxBytes,
    hasher: options.hasher ?? webCryptoHasher,
    proofsOfPossession: options.proofsOfPossession,
    status: () => (stopping ? "stopping" : disk.isFull() ? "read-only" : "serving"),
    uptimeMs: () => clock.monotonicMs() - startedMs,
    softwareVersion: options.softwareVersion ?? SOFTWARE_VERSION,
    assertWritable: disk.assertWritable,
    onWriteFailed: disk.onWriteFailed,
    onAbsent: damagedCopies.noteAbsent,
  });
  const serving = createServingState("serving");
  const handlers = createServerHandlers({
    rpcRoutes: [api.rpcRoutes],
    httpRoutes: [...api.httpRoutes, ...gatewayHintRoutes],
    serving,
    readiness: async () => {
      const { ready, checks } = await readiness(() => answersInTime(clock, stats), membership, disk);
      const trouble = scrub.trouble();
      return {
        ready,
        checks: {
          ...checks,
          ...(hasDamage && { copies: "some were damaged" }),
          ...(trouble && ({ fails: { disk: "fails" }, overdue: { scrub: "overdue" } } as const)[trouble]),
        },
      };
    },
    requestsInFlightMax,
    bytesInFlightMax: options.bytesInFlightMax,
    operationsApart: options.operationsPort !== undefined,
    descriptors: options.descriptors,
    cors,
    logger,
    metrics,
    tracer: options.tracer,
    clock,
    random,
  });
  const stop = (): void => {
    stopping = true;
  };
  return { handlers, disk, scrub, membership, serving, stop };
}

/** A node is ready when it can read its disk. It need not be registered: without that it still serves what gateways ask of it. */
async function readiness(
  look: () => Promise<NodeStats | "late">,
  membership: Membership | undefined,
  disk: DiskWatch,
): Promise<Readiness> {
  const registry = registration(membership);
  try {
    if ((await look()) === "late") return { ready: false, checks: { store: "does not answer", registry } };
    const store = disk.isFull() ? "read-only" : membership?.hasLostDisk() ? "lost its disk" : "ok";
    return { ready: true, checks: { store, registry } };
  } catch (error) {
    return { ready: false, checks: { store: AshlarError.from(error).code, registry } };
  }
}

function registration(membership: Membership | undefined): CheckState {
  if (membership === undefined) return "none";
  if (membership.isRegistered()) return "registered";
  if (membership.isIdHeld()) return "id held by another node";
  if (membership.isClockOff()) return "its clock differs";
  return membership.isRefused() ? "refused" : "not registered";
}

function grantsOf(
  { clusterKey, grants, insecure = false }: StorageNodeOptions,
  clock: Clock,
  random: Random,
): GrantKeeper | undefined {
  if (grants !== undefined) return grants;
  if (clusterKey !== undefined) return createGrantKeeper({ clusterKey, clock, random });
  if (insecure) return undefined;
  throw new AshlarError("INVALID_ARGUMENT", "a storage node needs the cluster key, or insecure: true");
}
