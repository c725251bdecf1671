import { KIB, LIMITS } from "@ashlar/sdk/limits";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import { REPAIR_BYTES_PER_SECOND } from "../maintenance/index.ts";

/**
 * Every setting of the command line, once: flags, environment variables, units, defaults and reasons. The programs read the environment
 * through this table only, `--help` shows it and `docs/configuration.md` is generated from it.
 */

/**
 * What the text of a setting must look like. `bytes` takes KiB, MiB, GiB and TiB, `duration` takes ms, s, m, h and d; plain numbers are bytes and ms.
 * `list` and `origins` are separated by commas. A `flag` takes no value.
 */
export type SettingUnit =
  | "text"
  | "url"
  | "path"
  | "port"
  | "count"
  | "weight"
  | "duration"
  | "bytes"
  | "list"
  | "origins"
  | "flag";

/** One setting. */
export interface Setting {
  /** In commander's notation, with the name of the value; absent: only the environment sets it. */
  readonly flag?: string;
  /** Environment variable; the flag wins over it, an empty one counts as not set. That of a `flag` is 1, true, 0 or false. */
  readonly env?: string;
  readonly unit: SettingUnit;
  /** Smallest and largest value, in bytes, ms or as a count; absent: what the unit allows. */
  readonly min?: number;
  readonly max?: number;
  /** Schemes of a URL that is not an Ashlar server's; absent: http and https, as `checkedUrl` accepts them. */
  readonly schemes?: readonly string[];
  /** In bytes, ms or as a count. Absent: none, or the reason says it. */
  readonly default?: string | number;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  /** What it does and why the default is what it is; shown in `--help` and in the docs. */
  readonly reason: string;
  /** Never shown in a message or a log. */
  readonly secret?: true;
  /** Settings of one group exclude each other: a flag of the group hides the variables of the others. */
  readonly choiceGroup?: string;
}

/** Largest weight of a node that a registry takes. */
export const WEIGHT_MAX = 100;

/** Names of the transports that a client may choose. */
export const TRANSPORT_NAMES = ["undici", "http", "connect", "grpc-web", "grpc", "grpc-js"] as const;

const client = {
  path: {
    flag: "--path <folder>",
    env: "ASHLAR_PATH",
    unit: "path",
    choiceGroup: "seat",
    reason: "embedded seat: the folder of the store, opened in this process; servers may have it open too",
  },
  gateway: {
    flag: "--gateway <url>",
    env: "ASHLAR_GATEWAY",
    unit: "url",
    choiceGroup: "seat",
    reason: "gateway seat: base URL of a gateway, which places the chunks",
  },
  direct: {
    flag: "--direct <url>",
    env: "ASHLAR_DIRECT",
    unit: "url",
    choiceGroup: "seat",
    reason: "direct seat: base URL of a gateway for metadata; chunks go straight to the storage nodes",
  },
  apiKey: {
    flag: "--api-key <key>",
    env: "ASHLAR_API_KEY",
    unit: "text",
    secret: true,
    reason:
      "`ashlar_<id>_<secret>`; the variable is better than the flag, which other users of the machine may see for a moment",
  },
  transport: {
    flag: "--transport <name>",
    env: "ASHLAR_TRANSPORT",
    unit: "text",
    default: "undici",
    choices: TRANSPORT_NAMES,
    reason:
      "how servers are reached; plain HTTP over undici moves bulk bytes fastest; grpc-js needs the package @grpc/grpc-js, which is not part of the program",
  },
  timeoutMs: {
    flag: "--timeout <duration>",
    env: "ASHLAR_TIMEOUT_MS",
    unit: "duration",
    min: 1,
    reason: "ends the whole command after this long; default: no limit",
  },
  retryForMs: {
    flag: "--retry-for <duration>",
    env: "ASHLAR_RETRY_FOR",
    unit: "duration",
    default: LIMITS.RETRY_FOR_MS,
    reason: "how long a call is tried again while its server restarts, is busy or cannot be reached; 0s: one try",
  },
  concurrency: {
    flag: "--concurrency <count>",
    unit: "count",
    max: LIMITS.CONCURRENCY_MAX,
    default: LIMITS.CONCURRENCY_DEFAULT,
    reason: "chunks in flight; memory is bounded by chunk size × (concurrency + 2)",
  },
  quiet: { flag: "-q, --quiet", unit: "flag", reason: "print no progress, and no lines that only report success" },
} as const satisfies Readonly<Record<string, Setting>>;

const upload = {
  chunkBytes: {
    flag: "--chunk-bytes <size>",
    unit: "bytes",
    min: LIMITS.CHUNK_MIN_BYTES,
    max: LIMITS.CHUNK_MAX_BYTES,
    default: LIMITS.CHUNK_DEFAULT_BYTES,
    reason: "size of the chunks that the body is cut into",
  },
  durability: {
    flag: "--durability <mode>",
    env: "ASHLAR_DURABILITY",
    unit: "text",
    choices: ["strict", "batched", "os"],
    reason: "when a write is acknowledged; default strict: file, folder and SQL are synced before the answer",
  },
  contentType: {
    flag: "--content-type <type>",
    unit: "text",
    reason: "default: by the extension of the file, else of the key, else application/octet-stream",
  },
  cacheControl: { flag: "--cache-control <text>", unit: "text", reason: "header kept with the object" },
  metadata: {
    flag: "--metadata <name=value,...>",
    unit: "list",
    reason: "user metadata kept with the object",
  },
  ifMatch: { flag: "--if-match <etag>", unit: "text", reason: "write only over the object version with this etag" },
  ifNoneMatch: {
    flag: "--if-none-match <etag>",
    unit: "text",
    reason: "write only if the current object version has another etag; `*`: only if there is no object",
  },
  createBucket: {
    flag: "--create-bucket",
    unit: "flag",
    reason: "make the bucket first if it is missing; with --path, also the store",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const listing = {
  range: {
    flag: "--range <first-last>",
    unit: "text",
    reason:
      "bytes to read, both ends included: `0-1023`, `1024-` from there to the end, `-500` the last 500; a range that begins at or after the end is INVALID_RANGE, but a range from 0 of an empty object is empty",
  },
  recursive: {
    flag: "-r, --recursive",
    unit: "flag",
    reason: "everything below the prefix; `rm`: everything in the folder",
  },
  nullEnded: {
    flag: "-0, --null",
    unit: "flag",
    reason:
      "print only bucket/key, unchanged and ended by NUL, for `xargs -0`; without this flag, control characters in keys are shown as `\\n` and `\\x1b`",
  },
  byPrefix: {
    flag: "--prefix",
    unit: "flag",
    reason: "with -r: all objects whose key begins like this (`a` means `ab` too), not only those in the folder",
  },
  dryRun: { flag: "--dry-run", unit: "flag", reason: "show what would be deleted, and delete nothing" },
  summarize: { flag: "-s, --summarize", unit: "flag", reason: "print only the line for all" },
  withContents: {
    flag: "--force",
    unit: "flag",
    reason: "delete the objects and unfinished uploads of the bucket too; asks on a terminal, needs --yes elsewhere",
  },
  yes: { flag: "--yes", unit: "flag", reason: "delete without asking" },
  limit: { flag: "--limit <count>", unit: "count", reason: "stop after this many entries; default: all" },
  force: { flag: "-f, --force", unit: "flag", reason: "an object that does not exist is no error" },
} as const satisfies Readonly<Record<string, Setting>>;

const server = {
  host: {
    flag: "--host <address>",
    env: "LISTEN_HOST",
    unit: "text",
    default: "127.0.0.1",
    reason: "address to listen on; to serve other machines, give another one, for instance 0.0.0.0",
  },
  port: {
    flag: "--port <port>",
    env: "PORT",
    unit: "port",
    default: 9000,
    reason:
      "port to listen on; 0 takes any free one. If no port is given and 9000 is taken, the next free port is used",
  },
  clusterKey: {
    env: "CLUSTER_KEY",
    unit: "text",
    secret: true,
    reason:
      "secret of the cluster, at least 32 characters, the same on all its servers; there is no default and no flag, which others could see",
  },
  clusterKeyAccepted: {
    env: "CLUSTER_KEY_ACCEPTED",
    unit: "text",
    secret: true,
    reason: "second secret, whose signatures are accepted too, while the secret of the cluster is changed",
  },
  clusterKeyFile: {
    flag: "--cluster-key-file <file>",
    env: "CLUSTER_KEY_FILE",
    unit: "path",
    reason:
      "file with the secret of the cluster, instead of CLUSTER_KEY; readable by its owner only. A second line is CLUSTER_KEY_ACCEPTED",
  },
  insecure: {
    flag: "--insecure",
    unit: "flag",
    reason: "no access control: everybody who reaches the port may do everything; for tests on one machine",
  },
  corsOrigins: {
    flag: "--cors-origins <origins>",
    env: "CORS_ORIGINS",
    unit: "origins",
    reason: "web origins that may call, such as `https://app.example`, or `*`; default: no web page may",
  },
  tlsCert: {
    flag: "--tls-cert <file>",
    env: "TLS_CERT",
    unit: "path",
    reason: "certificate chain in PEM; with it the port speaks TLS, needs --tls-key",
  },
  tlsKey: {
    flag: "--tls-key <file>",
    env: "TLS_KEY",
    unit: "path",
    reason: "private key in PEM; both files are read again every 30 s, so a renewed certificate needs no restart",
  },
  hstsMaxAgeMs: {
    flag: "--hsts-max-age <duration>",
    env: "HSTS_MAX_AGE",
    unit: "duration",
    default: HTTP_LIMITS.HSTS_MAX_AGE_MS.value,
    reason: "with TLS: how long browsers use TLS only for this host (strict-transport-security); 0s turns it off",
  },
  operationsPort: {
    flag: "--operations-port <port>",
    env: "OPERATIONS_PORT",
    unit: "port",
    reason:
      "port of /healthz, /readyz, /metrics, the gRPC health service and reflection, which are then no longer on the other port; default: all on one port",
  },
  operationsHost: {
    flag: "--operations-host <address>",
    env: "OPERATIONS_HOST",
    unit: "text",
    reason: "address of the operations port, such as one of a network that only monitoring reaches; default: --host",
  },
  logLevel: {
    flag: "--log-level <level>",
    env: "LOG_LEVEL",
    unit: "text",
    default: "info",
    choices: ["debug", "info", "warn", "error", "silent"],
    reason: "lowest severity of the JSON lines on standard error",
  },
  shutdownGraceMs: {
    flag: "--shutdown-grace <duration>",
    env: "SHUTDOWN_GRACE_MS",
    unit: "duration",
    default: LIMITS.SHUTDOWN_GRACE_MS,
    reason: "running requests may finish this long after SIGTERM or Ctrl-C; a second signal ends at once",
  },
  chunkMaxBytes: {
    flag: "--chunk-max-bytes <size>",
    env: "CHUNK_MAX_BYTES",
    unit: "bytes",
    min: LIMITS.CHUNK_MIN_BYTES,
    max: LIMITS.CHUNK_MAX_BYTES,
    default: LIMITS.CHUNK_MAX_BYTES_DEFAULT,
    reason: "largest chunk accepted, up to 1 GiB; bounds the memory of a request",
  },
  requestsInFlightMax: {
    flag: "--requests-in-flight-max <count>",
    env: "REQUESTS_IN_FLIGHT_MAX",
    unit: "count",
    default: LIMITS.REQUESTS_IN_FLIGHT_MAX,
    reason: "requests of one API key that run at once (a quarter more in all); others are answered OVERLOADED",
  },
  bytesInFlightMax: {
    flag: "--bytes-in-flight-max <size>",
    env: "BYTES_IN_FLIGHT_MAX",
    unit: "bytes",
    default: HTTP_LIMITS.BYTES_IN_FLIGHT_MAX.value,
    reason: "bytes of request bodies held at once; beyond it bodies wait, and are answered OVERLOADED after 5 s",
  },
  collectIntervalMs: {
    flag: "--collect-interval <duration>",
    env: "COLLECT_INTERVAL_MS",
    unit: "duration",
    default: LIMITS.COLLECT_INTERVAL_MS,
    reason: "how often data that no object uses any more is freed",
  },
  scrubPeriodMs: {
    flag: "--scrub-period <duration>",
    env: "SCRUB_PERIOD_MS",
    unit: "duration",
    default: LIMITS.SCRUB_PERIOD_MS,
    reason: "how often each chunk file is read and compared with its digest; 0s: never",
  },
  scrubBytesPerSecond: {
    flag: "--scrub-rate <size>",
    env: "SCRUB_BYTES_PER_SECOND",
    unit: "bytes",
    min: 64 * KIB,
    default: LIMITS.SCRUB_BYTES_PER_SECOND,
    reason:
      "most bytes that these checks read in a second; they read no faster than it takes to end in half of the period, and rest as long as they read",
  },
  reReplicateAfterMs: {
    flag: "--re-replicate-after <duration>",
    env: "RE_REPLICATE_AFTER_MS",
    unit: "duration",
    default: LIMITS.RE_REPLICATE_AFTER_MS,
    reason: "how long a node may be away before its copies are made on others; 0s: for ever",
  },
  repairBytesPerSecond: {
    flag: "--repair-rate <size>",
    env: "REPAIR_BYTES_PER_SECOND",
    unit: "bytes",
    min: 64 * KIB,
    default: REPAIR_BYTES_PER_SECOND,
    reason:
      "most bytes that this gateway's background work writes to one node in a second, beside the requests of users",
  },
  databaseUrl: {
    env: "DATABASE_URL",
    unit: "url",
    schemes: ["postgres", "postgresql"],
    secret: true,
    reason:
      "PostgreSQL of the cluster, `postgres://user:password@host:port/database`; no flag, because of the password",
  },
  replicationFactor: {
    flag: "--replication-factor <count>",
    env: "REPLICATION_FACTOR",
    unit: "count",
    max: LIMITS.REPLICATION_FACTOR_MAX,
    default: 3,
    reason: "copies of each chunk in a cluster's first layout; later changes: `ashlar layout`",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const allInOne = {
  servePath: {
    flag: "--path <folder>",
    env: "ASHLAR_PATH",
    unit: "path",
    default: ".ashlar",
    reason: "folder of chunks, metadata and the cluster key; made if it is missing",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const storageNode = {
  nodeId: {
    flag: "--server-id <id>",
    env: "SERVER_ID",
    unit: "text",
    reason: "unique and stable name of the node in the cluster: letters, digits, `.`, `_`, `-`; required",
  },
  grpcPort: {
    flag: "--port <port>",
    env: "GRPC_PORT",
    unit: "port",
    default: 50051,
    reason: "port to listen on, for every protocol; 50051 to 50056 by convention, 0 takes any free one",
  },
  dataDir: {
    flag: "--data-dir <folder>",
    env: "DATA_DIR",
    unit: "path",
    reason: "folder of the chunks; made if it is missing; required",
  },
  refuseLostDisk: {
    flag: "--refuse-lost-disk",
    env: "REFUSE_LOST_DISK",
    unit: "flag",
    reason:
      "do not start over a folder that lacks what the registry remembers of the node (it is empty, or another one); default: the node starts, and its copies are restored from the other nodes",
  },
  publicUrl: {
    flag: "--public-url <url>",
    env: "PUBLIC_URL",
    unit: "url",
    reason: "URL at which gateways and direct clients reach the node; default: the address it listens on",
  },
  nodeGateway: {
    flag: "--gateway <url>",
    env: "ASHLAR_GATEWAY",
    unit: "url",
    reason: "gateway to register with, for a node without DATABASE_URL",
  },
  zone: {
    flag: "--zone <name>",
    env: "ZONE",
    unit: "text",
    reason:
      "failure domain, for instance a rack; replicas are spread over zones first; default: each node is its own zone",
  },
  weight: {
    flag: "--weight <number>",
    env: "WEIGHT",
    unit: "weight",
    max: WEIGHT_MAX,
    default: 1,
    reason: "relative share of the chunks when the node joins; later changes: `ashlar layout`",
  },
  heartbeatIntervalMs: {
    flag: "--heartbeat-interval <duration>",
    env: "HEARTBEAT_INTERVAL_MS",
    unit: "duration",
    max: LIMITS.HEARTBEAT_INTERVAL_MS,
    default: LIMITS.HEARTBEAT_INTERVAL_MS,
    reason: "how often the node reports that it is alive; after 30 s without a report it counts as down",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const administration = {
  keyName: { flag: "--name <name>", unit: "text", default: "", reason: "for people, to distinguish API keys" },
  keyRole: {
    flag: "--role <role>",
    unit: "text",
    default: "readwrite",
    choices: ["admin", "readwrite", "readonly"],
    reason: "what the API key may do; only admin may change the layout",
  },
  keyBucket: {
    flag: "--bucket <name>",
    unit: "text",
    reason: "the only bucket that the API key reaches; default: all of them",
  },
  keyPrefix: {
    flag: "--prefix <prefix>",
    unit: "text",
    reason: "only keys of the bucket that begin with it; it should end with a slash; default: every key",
  },
  keyLifeMs: {
    flag: "--expires-in <duration>",
    unit: "duration",
    min: LIMITS.ACCESS_TOKEN_TTL_MIN_MS,
    reason: "lifetime of the API key; default: it never ends",
  },
  tokenBucket: {
    flag: "--bucket <name>",
    unit: "text",
    reason: "the only bucket that the access token reaches; required",
  },
  tokenPrefix: {
    flag: "--prefix <prefix>",
    unit: "text",
    reason: "only keys that begin with it; it should end with a slash; default: every key of the bucket",
  },
  tokenReadOnly: {
    flag: "--read-only",
    unit: "flag",
    reason: "the access token reads and lists only; default: all that the API key may do with objects",
  },
  tokenLifeMs: {
    flag: "--expires-in <duration>",
    unit: "duration",
    min: LIMITS.ACCESS_TOKEN_TTL_MIN_MS,
    max: LIMITS.ACCESS_TOKEN_TTL_MAX_MS,
    default: LIMITS.ACCESS_TOKEN_TTL_MS,
    reason: "lifetime of the access token, from 1s to 12h; with the default, a stolen one is soon useless",
  },
  weights: { flag: "--weights <id=weight,...>", unit: "list", reason: "new weights by node id; 0 drains the node" },
  removeNodes: { flag: "--remove <ids>", unit: "list", reason: "nodes to take out of the layout" },
  layoutReplicationFactor: {
    flag: "--replication-factor <count>",
    unit: "count",
    max: LIMITS.REPLICATION_FACTOR_MAX,
    reason: "copies of each chunk",
  },
  layoutPlacementFormat: {
    flag: "--placement-format <number>",
    unit: "count",
    max: LIMITS.PLACEMENT_FORMAT_NEWEST,
    reason:
      "how chunks are placed: 1, or 2 for less movement in large clusters; a change moves most copies, and needs servers and direct clients that know it",
  },
  layoutForce: {
    flag: "--force",
    unit: "flag",
    reason: "change the layout although chunks would have fewer copies than wanted, or may lose their last one",
  },
  forgetForce: {
    flag: "--force",
    unit: "flag",
    reason: "forget the node although chunks may need copies that only it has: these are given up",
  },
  layoutDryRun: {
    flag: "--dry-run",
    unit: "flag",
    reason: "show what the change would move, or why it would be refused; change nothing",
  },
  noWait: {
    flag: "--no-wait",
    unit: "flag",
    reason: "change the layout and return; default: wait until the nodes hold no copy that is needed",
  },
  scrubCommandRate: {
    flag: "--rate <size>",
    unit: "bytes",
    min: 64 * KIB,
    reason: "most bytes that are read in a second; default: what the disk gives, with as much rest as work",
  },
  graceMs: {
    flag: "--grace <duration>",
    unit: "duration",
    default: LIMITS.COLLECT_GRACE_MS,
    reason: "keep what was deleted or replaced less than this long ago, so that running reads can finish",
  },
  readChunks: {
    flag: "--chunks",
    unit: "flag",
    reason:
      "read every chunk too and compare it with its digest, and count files that no object names; of a cluster every copy on every node, which needs DATABASE_URL and the cluster key",
  },
  readRate: {
    flag: "--rate <size>",
    unit: "bytes",
    min: 64 * KIB,
    reason: "with --chunks: most bytes that are read in a second; default: as fast as it can",
  },
  repairCopies: {
    flag: "--repair",
    unit: "flag",
    reason:
      "with --chunks, in a cluster: queue copies that are missing or damaged, which gateways then restore; nothing is deleted",
  },
  claimTtlMs: {
    flag: "--claim-ttl <duration>",
    unit: "duration",
    default: LIMITS.CLAIM_TTL_MS,
    reason:
      "keep chunks that were uploaded less than this long ago: they may still be committed; not shorter than the longest upload",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const backup = {
  backupName: {
    flag: "--backup <name>",
    unit: "text",
    reason: "which backup, by its name as `backup list` shows it; default: the newest",
  },
  keepCount: {
    flag: "--keep <count>",
    unit: "count",
    reason: "how many backups stay, the newest ones; required",
  },
  restoreBucket: { flag: "--bucket <name>", unit: "text", reason: "restore only this bucket; default: all of them" },
  restorePrefix: {
    flag: "--prefix <prefix>",
    unit: "text",
    reason: "restore only keys that begin with it; default: every key",
  },
  overwrite: {
    flag: "--overwrite",
    unit: "flag",
    reason: "replace objects that have other bytes or attributes than the backup; default: they stay, and are told",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const localCluster = {
  clusterPath: {
    flag: "--path <folder>",
    env: "ASHLAR_CLUSTER_PATH",
    unit: "path",
    default: ".ashlar-cluster",
    reason:
      "folder of the whole cluster: data, keys, ports, logs; made if it is missing, refused if it holds other files",
  },
  nodes: {
    flag: "--nodes <count>",
    unit: "count",
    reason: "number of storage nodes; default: the existing ones, 6 at the first start; a larger number adds nodes",
  },
  gatewayPort: {
    flag: "--gateway-port <port>",
    unit: "port",
    reason:
      "port of the gateway; default: that of the last start, at the first start 9000 or the next free one; 0 takes any free one",
  },
  nodePort: {
    flag: "--node-port <port>",
    unit: "port",
    reason:
      "port of the first node, the others follow; default: those of the last start, at the first start any free ones, as with 0",
  },
  postgresPort: {
    flag: "--postgres-port <port>",
    unit: "port",
    reason:
      "port of the cluster's own PostgreSQL; default: that of the last start, at the first start any free one, as with 0",
  },
  detach: { flag: "--detach", unit: "flag", reason: "run in the background; returns when the cluster is ready" },
  keepDown: { flag: "--keep-down", unit: "flag", reason: "do not start it again until `cluster start`" },
  downForMs: {
    flag: "--for <duration>",
    unit: "duration",
    reason: "start it again after this long, such as 30s or 2m; default: as after a crash, in half a second",
  },
  deleteData: { flag: "--delete", unit: "flag", reason: "delete the cluster's data too, every object; needs --yes" },
  rebuild: {
    flag: "--rebuild",
    unit: "flag",
    reason: "rebuild small files that are empty or damaged, from what is there; the damaged ones are kept too",
  },
  startEmpty: {
    flag: "--start-empty",
    unit: "flag",
    reason: "make a new, empty database if the old one is lost for good; the chunks stay, and are never freed",
  },
  acceptDatabase: {
    flag: "--accept-database",
    unit: "flag",
    reason:
      "accept this database, although the chunks were kept for another or a newer one; chunks that it does not know stay",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const everywhere = {
  json: {
    flag: "--json",
    unit: "flag",
    reason: "results as JSON, one value a line, on standard output; errors as one JSON object on standard error",
  },
  debug: { flag: "--debug", unit: "flag", reason: "print stack traces and causes of errors" },
} as const satisfies Readonly<Record<string, Setting>>;

/** The settings in groups, as the docs show them. */
export const SETTING_GROUPS = Object.freeze({
  everywhere,
  client,
  upload,
  listing,
  server,
  allInOne,
  storageNode,
  localCluster,
  administration,
  backup,
} satisfies Readonly<Record<string, Readonly<Record<string, Setting>>>>);

/** All settings by name. */
export const SETTINGS = Object.freeze({
  ...everywhere,
  ...client,
  ...upload,
  ...listing,
  ...server,
  ...allInOne,
  ...storageNode,
  ...localCluster,
  ...administration,
  ...backup,
});

/** Name of a setting. */
export type SettingName = keyof typeof SETTINGS;
