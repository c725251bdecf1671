import { AshlarError } from "../errors/ashlar-error.ts";
import { assertFunctions, LOGGER_FUNCTIONS } from "../internal/app-functions.ts";

/**
 * What an option must be: `number` (0 or more), `count` (a whole number, 1 or more), another `typeof` name, `.one two` for an object with the
 * methods `one` and `two`, or the allowed texts with `|` between them. Empty: other code checks it.
 */
export type OptionKind = string;

/** Options that several seats and transports share. */
const KINDS = {
  chunker: ".start",
  clock: ".nowMs monotonicMs sleep",
  durability: "strict|batched|os",
  fetch: "function",
  forMs: "number",
  hasher: ".digest incremental",
  hedgeAfterMs: "number",
  logger: `.${LOGGER_FUNCTIONS}`,
  onRetry: "function",
  random: ".bytes fraction",
  refreshAfterMs: "number",
  retry: "object",
  transport: ".openGateway openChunkStore close",
} as const satisfies Record<string, OptionKind>;

const WORDS: Readonly<Record<OptionKind, string>> = {
  number: "a number of 0 or more",
  count: "a whole number of 1 or more",
};

/** The kinds of the options that are not in the table. If one is missing, the call does not compile. */
type OtherKinds<Options> = Readonly<Record<Exclude<keyof Options, keyof typeof KINDS>, OptionKind>>;

/**
 * Checks all options of a seat or a transport when it is made, so that a wrong option fails there, and not in the middle of a call, or never.
 * `undefined` means "not given".
 *
 * @throws {AshlarError} INVALID_ARGUMENT naming the option.
 */
export function checkOptions<Options extends object>(options: Options, more: OtherKinds<Options>): void {
  if (!isA(options, "object")) throw new AshlarError("INVALID_ARGUMENT", "options are an object");
  for (const [name, kind] of Object.entries<OptionKind>({ ...KINDS, ...more })) {
    const value = options[name as keyof Options];
    if (value === undefined || kind === "") continue;
    if (kind.startsWith(".")) assertFunctions(name, value, kind.slice(1));
    else if (!isA(value, kind)) throw new AshlarError("INVALID_ARGUMENT", `${name} is ${WORDS[kind] ?? `a ${kind}`}`);
    if (name === "retry") checkOptions(value as object, {});
  }
}

function isA(value: unknown, kind: OptionKind): boolean {
  if (kind === "number") return typeof value === kind && (value as number) >= 0;
  if (kind === "count") return Number.isInteger(value) && (value as number) > 0;
  if (kind.includes("|")) return kind.split("|").includes(value as string);
  return typeof value === kind && value !== null;
}
