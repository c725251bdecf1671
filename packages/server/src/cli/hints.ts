import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";
import { visibleText } from "../observability/control-characters.ts";
import type { SettingName } from "./config.ts";
import { parseAddress } from "./object-address.ts";
import { openClient } from "./open-client.ts";
import type { Environment, Settings } from "./settings.ts";
import { pathFlag, shellWord } from "./shown-command.ts";

/** The command that failed. */
export interface HintContext {
  readonly command: string;
  readonly args: readonly (string | readonly string[] | undefined)[];
  readonly settings: Settings<SettingName>;
  readonly env: Environment;
}

/** How long looking for similar names may take. */
const LOOK_UP_MS = 2000;

type HintTable = Partial<Record<ErrorCode, (options: HintOptions, error: AshlarError) => string | undefined>>;

interface HintOptions {
  readonly program: string;
  readonly context: HintContext | undefined;
}

const HINTS: HintTable = {
  UNAUTHENTICATED: ({ program, context }) => {
    if (isServer(context))
      return "all servers of a cluster need the same CLUSTER_KEY, and clocks that agree within a minute";
    if (holdsToken(context)) return `make a new token with an API key: ${program} token create --bucket …`;
    return `give an API key with ASHLAR_API_KEY or --api-key; make one with: ${program} key create`;
  },
  PERMISSION_DENIED: ({ program, context }, { details }) => {
    if (!holdsToken(context))
      return `use an API key whose role allows it; make one with: ${program} key create --role …`;
    const { bucket, prefix = "" } = details;
    if (bucket === undefined) return "an access token may do less than the API key that made it: use the API key";
    return `use what the token reaches (${program} ls ${shellWord(`${bucket}/${prefix}`)}), or an API key`;
  },
  NODE_UNAVAILABLE: ({ program, context }, error) => {
    if (context?.command.startsWith("cluster ")) return clusterHint(program, error);
    const { gateway, direct } = context?.settings ?? {};
    const url = gateway ?? direct;
    if (url === undefined) return undefined;
    const alternative =
      direct === undefined ? "" : "\na server with one local store has no nodes to connect to: use --gateway";
    const overTls = url.startsWith("http:") && wasCutOff(error) ? "\nif the port has TLS, use https://" : "";
    return `is a gateway running there? ask it: ${program} health ${url}${overTls}${alternative}`;
  },
  UNSUPPORTED: ({ program }, { details: { url, reason } }) =>
    reason === "NOT_ASHLAR"
      ? `check the URL; see what is there: ${program} health ${url}\na proxy in front of a gateway has to pass on the header ashlar-request-id, and HTTP/2 to transports that need it`
      : undefined,
  QUORUM_NOT_REACHED: ({ program }) => `too many storage nodes are away; see which: ${program} health`,
  METADATA_UNAVAILABLE: ({ context }) => {
    if (context?.settings.databaseUrl !== undefined) return "is the database running, and does DATABASE_URL name it?";
    if (context?.settings.path === undefined)
      return "the database behind the gateway does not answer; its log says why";
    return "may this user read and write the folder, and is it on a local disk that works?";
  },
  DISK_FULL: ({ program }, { details }) =>
    // A file of this machine is full, not the store.
    details.file !== undefined
      ? undefined
      : `delete objects and free their space with \`${program} collect\` (servers do it by themselves), or add a storage node; chunks of a failed upload are freed after a day; to free them at once in a folder, run \`${program} collect --claim-ttl 0s\` while nothing else uploads`,
  BUCKET_NOT_EMPTY: ({ program, context }, { details }) =>
    notEmptyHint(program, details.bucket ?? argument(context), details),
  CHUNK_CORRUPT: ({ context }) =>
    context?.settings.path === undefined
      ? "a damaged copy is put aside, and another one is read if there is one; put the same content again to restore it"
      : "put the same content again to restore it, from here or from a backup: the damaged file is put aside",
  // While a server is away, more time does not help.
  DEADLINE_EXCEEDED: (options, { cause }) =>
    AshlarError.is(cause) && cause.retryable ? HINTS[cause.code]?.(options, cause) : "give it more time with --timeout",
  STORE_INCOMPATIBLE: () =>
    "the file is damaged, of a newer release, or of another program; nothing was changed: restore it from a backup, or use that release",
  OVERLOADED: () => "the server has too much to do; try again in a moment",
};

/**
 * What to do about an error; `undefined` if there is no hint for it.
 *
 * If a bucket or an object does not exist, looks for similar names, for two seconds at most.
 */
export async function hintFor(error: AshlarError, options: HintOptions): Promise<string | undefined> {
  const { program, context } = options;
  if (error.code === "BUCKET_NOT_FOUND" && error.details.path !== undefined) {
    const path = shellWord(error.details.path);
    return `is this the right folder? mb, serve and put --create-bucket make a store: ${program} mb <bucket> --path ${path}`;
  }
  if (context !== undefined && error.code === "BUCKET_NOT_FOUND") {
    const { bucket } = parseAddress(missingAddress(error, context));
    const similar = await similarBucket(context, bucket);
    return similar ?? `see what there is with \`${program} ls\`, or make it: ${program} mb ${shellWord(bucket)}`;
  }
  if (context !== undefined && error.code === "OBJECT_NOT_FOUND") {
    const { bucket, key } = parseAddress(missingAddress(error, context));
    return (await similarKey(context, bucket, key)) ?? `see what there is: ${program} ls ${shellWord(bucket)}`;
  }
  return HINTS[error.code]?.(options, error);
}

/** What is in the bucket, and how to remove it. Servers of older releases do not say whether it has objects or uploads. */
function notEmptyHint(program: string, name: string, details: AshlarError["details"]): string {
  const bucket = shellWord(name);
  const { hasObjects = "true", uploadCount = "0" } = details;
  const lines = [
    ...(hasObjects === "true" ? [`delete its objects: ${program} rm -r ${bucket}`] : []),
    ...(uploadCount === "0"
      ? []
      : [
          `see its unfinished uploads: ${program} uploads ls ${bucket}`,
          `abort them: ${program} uploads abort ${bucket}`,
        ]),
    `or remove the bucket with everything in it: ${program} rb --force ${bucket}`,
  ];
  return lines.join("\n");
}

/** Whether the credential is an access token: an API key begins with `ashlar_`. */
function holdsToken(context: HintContext | undefined): boolean {
  const { apiKey } = context?.settings ?? {};
  return apiKey?.includes(".") === true && !apiKey.startsWith("ashlar_");
}

/** For a command that found no supervisor: how to start the cluster again, and to stop the processes that the last supervisor left. */
function clusterHint(program: string, { details }: AshlarError): string | undefined {
  const { clusterPath, survivors } = details;
  if (clusterPath === undefined) return undefined;
  const flag = pathFlag(clusterPath);
  const up = `${program} cluster up${flag}`;
  return survivors === "0"
    ? `start it: ${up}`
    : `stop them: ${program} cluster down${flag}\nor stop them and start the cluster again: ${up}`;
}

/** Whether the other side took the connection and ended it without an answer, as a port with TLS does to plain HTTP. */
function wasCutOff(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    const code = "code" in current ? current.code : undefined;
    if (code === "UND_ERR_SOCKET" || code === "ECONNRESET") return true;
    current = current.cause;
  }
  return false;
}

function isServer(context: HintContext | undefined): boolean {
  return context !== undefined && ["serve", "node", "gateway"].includes(context.command);
}

function argument(context: HintContext | undefined): string {
  const [first] = context?.args ?? [];
  return typeof first === "string" ? first : "";
}

/** The address that the error is about: from its details, otherwise the first argument of the command with a slash, or its first. */
function missingAddress({ details }: AshlarError, { args }: HintContext): string {
  if (details.bucket !== undefined)
    return details.key === undefined ? details.bucket : `${details.bucket}/${details.key}`;
  const candidates = args.flat().filter((entry): entry is string => typeof entry === "string");
  return candidates.find((entry) => entry.includes("/")) ?? candidates[0] ?? "";
}

async function similarBucket(context: HintContext, bucket: string): Promise<string | undefined> {
  await using client = await openClient(context.settings, { forMs: 0 });
  const buckets = await client.listBuckets({ timeoutMs: LOOK_UP_MS });
  const match = closest(
    bucket,
    buckets.map((entry) => entry.bucket),
  );
  return match === undefined ? undefined : `did you mean ${visibleText(match)}?`;
}

async function similarKey(context: HintContext, bucket: string, key: string): Promise<string | undefined> {
  await using client = await openClient(context.settings, { forMs: 0 });
  const prefix = key.slice(0, key.lastIndexOf("/") + 1);
  const page = await client.listObjectsPage({ bucket, prefix, timeoutMs: LOOK_UP_MS });
  const match = closest(
    key,
    page.objects.map((entry) => entry.key),
  );
  return match === undefined ? undefined : `did you mean ${visibleText(`${bucket}/${match}`)}?`;
}

/** The candidate that the user probably meant: at most a third of its letters differ. `undefined` if none is that close. */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.floor(name.length / 3) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance && candidate !== name) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions and replacements that turn `a` into `b` (Levenshtein). Cost: the product of the lengths. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}
