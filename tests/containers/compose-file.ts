import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** The repository's folder. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** One service, as far as these tests read it. */
export interface ComposeService {
  readonly image?: string;
  readonly build?: string | { readonly context: string; readonly target?: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly logging?: { readonly options?: Readonly<Record<string, string>> };
}

/** A Compose file after merging and interpolation. */
export interface ComposeFile {
  readonly name: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

/** What the tag `!reset` leaves: the value of the earlier file is removed. */
const RESET = Symbol("!reset");

/**
 * Reads Compose files as `docker compose -f first -f second` does, as far as ours need it: YAML with merge keys, interpolation, mappings merged
 * key by key, `!reset`. Sequences of a later file are not appended; ours have none.
 *
 * @param env the values of `$VARIABLE`; nothing is taken from this process.
 * @throws Error with the message of `${NAME:?message}` if that variable is not set.
 */
export function readCompose(paths: readonly string[], env: Readonly<Record<string, string>>): ComposeFile {
  const files = paths.map((path) => {
    const text = readFileSync(new URL(path, `file://${ROOT}`), "utf8");
    return parse(text, { merge: true, customTags: [{ tag: "!reset", collection: "seq", resolve: () => RESET }] });
  });
  return interpolate(files.reduce(merge), env) as ComposeFile;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merge(below: unknown, above: unknown): unknown {
  if (!isMapping(below) || !isMapping(above)) return above;
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === RESET) delete merged[key];
    else merged[key] = key in merged ? merge(merged[key], value) : value;
  }
  return merged;
}

function interpolate(value: unknown, env: Readonly<Record<string, string>>): unknown {
  if (typeof value === "string") return interpolateText(value, env);
  if (Array.isArray(value)) return value.map((item) => interpolate(item, env));
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolate(item, env)]));
}

/** `$$`, `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:?message}`; an empty variable counts as not set in the last two. */
function interpolateText(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:(\$)|(\w+)|\{(\w+)(?::([-?])([^}]*))?\})/g, (_, dollar, plain, braced, operator, word) => {
    if (dollar !== undefined) return "$";
    const name = String(plain ?? braced);
    const value = env[name] ?? "";
    if (value !== "" || operator === undefined) return value;
    if (operator === "?") throw new Error(`required variable ${name} is missing a value: ${word}`);
    return String(word);
  });
}

/** Names of the services, each after those that it waits for. */
export function startOrder({ services }: ComposeFile): readonly string[] {
  const ordered: string[] = [];
  const visit = (name: string, waiting: readonly string[]): void => {
    if (waiting.includes(name)) throw new Error(`${name} waits for itself: ${waiting.join(", ")}`);
    if (ordered.includes(name)) return;
    const service = services[name];
    if (service === undefined) throw new Error(`${waiting.at(-1)} waits for ${name}, which is no service`);
    for (const needed of Object.keys(service.depends_on ?? {})) visit(needed, [...waiting, name]);
    ordered.push(name);
  };
  for (const name of Object.keys(services)) visit(name, []);
  return ordered;
}
