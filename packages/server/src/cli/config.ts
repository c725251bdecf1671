import { LIMITS } from "@ashlar/sdk/limits";
import { HTTP_LIMITS } from "../http/http-limits.ts";

/**
 * Every setting of the command line, once: flags, environment variables, units, defaults and reasons. The programs read the environment
 * through this table only, `--help` shows it and `docs/configuration.md` is generated from it.
 */

/** What the text of a setting must look like. `bytes` takes KiB, MiB, GiB and TiB, a `duration` ms, s, m, h and d, and plain numbers are bytes and ms; `list` and `origins` are separated by commas; a `flag` takes no value. */
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
  /** As commander writes it, with the name of the value; absent: it may only come from the environment. */
  readonly flag?: string;
  /** Environment variable; the flag wins over it, an empty one counts as not set. */
  readonly env?: string;
  readonly unit: SettingUnit;
  /** Smallest and largest value, in bytes, ms or whatever is counted; absent: what the unit allows. */
  readonly min?: number;
  readonly max?: number;
  /** Of a URL that is no server's of ours; absent: http and https, as `checkedUrl` takes them. */
  readonly schemes?: readonly string[];
  /** In bytes, ms or whatever is counted. Absent: none, or told in the reason. */
  readonly default?: string | number;
  /** The only values allowed. */
  readonly choices?: readonly string[];
  /** What it does and why the default is what it is; shown in `--help` and in the docs. */
  readonly reason: string;
  /** Never shown, in no message and no log. */
  readonly secret?: true;
  /** Settings of one group exclude each other: a flag of the group hides the variables of the others. */
  readonly choiceGroup?: string;
}

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
      "how servers are reached; plain HTTP over undici moves bulk bytes fastest, and grpc-js needs the package @grpc/grpc-js beside the program",
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
    default: LIMITS.CONCURRENCY_DEFAULT,
    reason: "chunks in flight; memory is bounded by chunk size × (concurrency + 2)",
  },
  quiet: { flag: "-q, --quiet", unit: "flag", reason: "no progress, no lines that only say that it worked" },
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
  ifMatch: { flag: "--if-match <etag>", unit: "text", reason: "write only over the version with this etag" },
  ifNoneMatch: {
    flag: "--if-none-match <etag>",
    unit: "text",
    reason: "write only if the current version has another etag; `*`: only if there is none",
  },
  createBucket: {
    flag: "--create-bucket",
    unit: "flag",
    reason: "make the bucket first if it is missing, and in a folder the store",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const listing = {
  range: {
    flag: "--range <first-last>",
    unit: "text",
    reason:
      "bytes wanted, both ends included: `0-1023`, `1024-` from there on, `-500` the last 500; what begins behind the end is INVALID_RANGE, but of an empty object every range from 0 on is empty",
  },
  recursive: {
    flag: "-r, --recursive",
    unit: "flag",
    reason: "everything below the prefix; `rm`: all that is in the folder",
  },
  nullEnded: {
    flag: "-0, --null",
    unit: "flag",
    reason:
      "only bucket/key, as it is and ended by NUL, for `xargs -0`; without it, control characters in keys are shown as `\\n` and `\\x1b`",
  },
  byPrefix: {
    flag: "--prefix",
    unit: "flag",
    reason: "with -r: all whose key begins so (`a` takes `ab` too), not only what is in the folder",
  },
  dryRun: { flag: "--dry-run", unit: "flag", reason: "show what would be deleted, and delete nothing" },
  summarize: { flag: "-s, --summarize", unit: "flag", reason: "only the line for all" },
  withContents: {
    flag: "--force",
    unit: "flag",
    reason: "delete the objects and unfinished uploads of the bucket too; asks on a terminal, needs --yes elsewhere",
  },
  yes: { flag: "--yes", unit: "flag", reason: "yes, delete it: nobody is asked" },
  limit: { flag: "--limit <count>", unit: "count", reason: "stop after this many entries; default: all" },
  force: { flag: "-f, --force", unit: "flag", reason: "what is not there is no error" },
} as const satisfies Readonly<Record<string, Setting>>;

const server = {
  host: {
    flag: "--host <address>",
    env: "LISTEN_HOST",
    unit: "text",
    default: "127.0.0.1",
    reason: "address to listen on; whoever serves other machines says so, for instance with 0.0.0.0",
  },
  port: {
    flag: "--port <port>",
    env: "PORT",
    unit: "port",
    default: 9000,
    reason:
      "port to listen on; 0 takes any free one. Where nothing was asked for and 9000 is taken, the next free port is used",
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
    reason: "private key in PEM; both files are looked at again every 30 s, so a renewed certificate needs no restart",
  },
  hstsMaxAgeMs: {
    flag: "--hsts-max-age <duration>",
    env: "HSTS_MAX_AGE",
    unit: "duration",
    default: HTTP_LIMITS.HSTS_MAX_AGE_MS.value,
    reason: "with TLS: for how long browsers come back over TLS only (strict-transport-security); 0s turns it off",
  },
  operationsPort: {
    flag: "--operations-port <port>",
    env: "OPERATIONS_PORT",
    unit: "port",
    reason:
      "port of /healthz, /readyz, /metrics, the gRPC health service and reflection, which the other port has no more then; default: all on one port",
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
    reason: "least severity of the JSON lines on standard error",
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
    default: LIMITS.CHUNK_MAX_BYTES_DEFAULT,
    reason: "largest chunk taken, up to 1 GiB; bounds the memory of a request",
  },
  requestsInFlightMax: {
    flag: "--requests-in-flight-max <count>",
    env: "REQUESTS_IN_FLIGHT_MAX",
    unit: "count",
    default: LIMITS.REQUESTS_IN_FLIGHT_MAX,
    reason: "requests of one API key that are worked on at once, a quarter more in all; others are answered OVERLOADED",
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
    reason: "how often what nothing names any more is freed",
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
    reason: "copies of each chunk that a cluster's first layout asks for; later changes: `ashlar layout`",
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
  publicUrl: {
    flag: "--public-url <url>",
    env: "PUBLIC_URL",
    unit: "url",
    reason: "URL under which gateways and direct clients reach the node; default: the address it listens on",
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
    reason: "failure domain, for instance a rack; replicas are spread over zones first; default: each node is its own",
  },
  weight: {
    flag: "--weight <number>",
    env: "WEIGHT",
    unit: "weight",
    default: 1,
    reason: "relative share of the chunks when the node joins; later changes: `ashlar layout`",
  },
  heartbeatIntervalMs: {
    flag: "--heartbeat-interval <duration>",
    env: "HEARTBEAT_INTERVAL_MS",
    unit: "duration",
    default: LIMITS.HEARTBEAT_INTERVAL_MS,
    reason: "how often the node tells that it is alive; three missed beats count as down",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const administration = {
  keyName: { flag: "--name <name>", unit: "text", default: "", reason: "for people, to tell API keys apart" },
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
    reason: "only keys of the bucket that begin with it, best with a slash at its end; default: every key",
  },
  keyLifeMs: {
    flag: "--expires-in <duration>",
    unit: "duration",
    min: LIMITS.ACCESS_TOKEN_TTL_MIN_MS,
    reason: "life of the API key; default: it never ends",
  },
  tokenBucket: {
    flag: "--bucket <name>",
    unit: "text",
    reason: "the only bucket that the access token reaches; required",
  },
  tokenPrefix: {
    flag: "--prefix <prefix>",
    unit: "text",
    reason: "only keys that begin with it, best with a slash at its end; default: every key of the bucket",
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
    reason: "life of the access token, from 1s to 12h; the default makes a stolen one soon worthless",
  },
  weights: { flag: "--weights <id=weight,...>", unit: "list", reason: "new weights by node id; 0 drains" },
  removeNodes: { flag: "--remove <ids>", unit: "list", reason: "nodes to take out of the layout" },
  layoutReplicationFactor: {
    flag: "--replication-factor <count>",
    unit: "count",
    max: LIMITS.REPLICATION_FACTOR_MAX,
    reason: "copies of each chunk",
  },
  graceMs: {
    flag: "--grace <duration>",
    unit: "duration",
    default: LIMITS.COLLECT_GRACE_MS,
    reason: "keep what was deleted or replaced less than this long ago, so that running reads can finish",
  },
  claimTtlMs: {
    flag: "--claim-ttl <duration>",
    unit: "duration",
    default: LIMITS.CLAIM_TTL_MS,
    reason:
      "keep chunks that were uploaded less than this long ago: their commit may come; not shorter than the longest upload",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const localCluster = {
  clusterPath: {
    flag: "--path <folder>",
    env: "ASHLAR_CLUSTER_PATH",
    unit: "path",
    default: ".ashlar-cluster",
    reason:
      "folder of the whole cluster: data, keys, ports, logs; made if it is missing, refused if other things are in it",
  },
  nodes: {
    flag: "--nodes <count>",
    unit: "count",
    reason: "storage nodes; default: as many as there are, 6 at the first start; more than there are adds some",
  },
  gatewayPort: {
    flag: "--gateway-port <port>",
    unit: "port",
    reason: "of the gateway; default: that of the last start, at first 9000 or the next free one; 0 takes any free one",
  },
  nodePort: {
    flag: "--node-port <port>",
    unit: "port",
    reason: "of the first node, the others follow; default: those of the last start, at first any free ones, as with 0",
  },
  postgresPort: {
    flag: "--postgres-port <port>",
    unit: "port",
    reason: "of the cluster's own PostgreSQL; default: that of the last start, at first any free one, as with 0",
  },
  detach: { flag: "--detach", unit: "flag", reason: "run in the background; returns when the cluster is ready" },
  keepDown: { flag: "--keep-down", unit: "flag", reason: "it is not started again until `cluster start`" },
  downForMs: {
    flag: "--for <duration>",
    unit: "duration",
    reason: "it is started again after this long, such as 30s or 2m; default: like after a crash, in half a second",
  },
  deleteData: { flag: "--delete", unit: "flag", reason: "delete what the cluster made too, every object; needs --yes" },
  rebuild: {
    flag: "--rebuild",
    unit: "flag",
    reason: "write small files that are empty or damaged anew from what is there; the damaged ones are kept beside",
  },
  startEmpty: {
    flag: "--start-empty",
    unit: "flag",
    reason: "make a new, empty database where the old one is lost for good; the chunks stay, and are never freed",
  },
  acceptDatabase: {
    flag: "--accept-database",
    unit: "flag",
    reason:
      "take this database though it is another or an older one than the chunks were kept for; what it does not know stays",
  },
} as const satisfies Readonly<Record<string, Setting>>;

const everywhere = {
  json: {
    flag: "--json",
    unit: "flag",
    reason: "results as JSON, one value a line, on standard output; errors as one JSON object on standard error",
  },
  debug: { flag: "--debug", unit: "flag", reason: "stack traces and causes of errors" },
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
});

/** Name of a setting. */
export type SettingName = keyof typeof SETTINGS;
