import { LIMIT_DOCS, type LimitDoc } from "@ashlar/sdk/docs";
import { GIB, KIB, LIMITS, MIB, TIB } from "@ashlar/sdk/limits";
import { HTTP_LIMITS } from "@ashlar/server/http";
import { code, GENERATED_NOTE, markdownTable } from "./markdown.ts";

const BYTE_UNITS = [
  [TIB, "TiB"],
  [GIB, "GiB"],
  [MIB, "MiB"],
  [KIB, "KiB"],
] as const;
const TIME_UNITS = [
  [24 * 3600 * 1000, "d"],
  [3600 * 1000, "h"],
  [60 * 1000, "min"],
  [1000, "s"],
] as const;

/** docs/limits.md: every bound with its reason. */
export function limitsPage(): string {
  return `${GENERATED_NOTE}

# Limits

Every bound and default of the system, with its reason. Sizes are powers of two. The first table has what clients and servers share:
\`LIMITS\` of \`@ashlar/sdk/limits\` holds the same values.

${table(withDocs())}

## HTTP

Of servers alone: of connections and requests, of the messages that they take, and of the work that a gateway does for them.
\`HTTP_LIMITS\` of \`@ashlar/server/http\` holds the same values.

${table(HTTP_LIMITS)}
`;
}

type DocumentedLimit = LimitDoc & { readonly value: number };

function withDocs(): Readonly<Record<string, DocumentedLimit>> {
  const names = Object.keys(LIMIT_DOCS) as (keyof typeof LIMITS)[];
  return Object.fromEntries(names.map((name) => [name, { value: LIMITS[name], ...LIMIT_DOCS[name] }]));
}

function table(limits: Readonly<Record<string, DocumentedLimit>>): string {
  const rows = Object.entries(limits).map(([name, limit]) => [code(name), describe(limit), limit.reason]);
  return markdownTable([["name", "value", "reason"], ...rows]);
}

function describe({ value, unit }: DocumentedLimit): string {
  if (unit === "count") return value.toLocaleString("en-US");
  const units = unit === "bytes" ? BYTE_UNITS : TIME_UNITS;
  const [size, name] = units.find(([candidate]) => value >= candidate && value % candidate === 0) ?? [1, unit];
  return `${(value / size).toLocaleString("en-US")} ${name}`;
}
