import { AshlarError } from "@ashlar/sdk/errors";
import { GIB, KIB, MIB, TIB } from "@ashlar/sdk/limits";
import { checkedUrl, shownUrl } from "@ashlar/sdk/ports";
import { originProblem } from "../http/cors.ts";
import { SETTINGS, type Setting, type SettingName } from "./config.ts";

type Value<S extends Setting> = S["unit"] extends "flag"
  ? boolean
  : S["unit"] extends "list" | "origins"
    ? readonly string[]
    : S["unit"] extends "port" | "count" | "weight" | "duration" | "bytes"
      ? S extends { readonly default: number }
        ? number
        : number | undefined
      : S extends { readonly default: string }
        ? string
        : string | undefined;

/** Resolved settings by name: numbers for counts and sizes, arrays for lists (empty where not set), booleans for flags. */
export type Settings<Name extends SettingName> = { readonly [N in Name]: Value<(typeof SETTINGS)[N]> };

/** The settings of a command, and where they came from. */
export interface ResolvedSettings<Name extends SettingName> {
  readonly values: Settings<Name>;
  /** Settings that a flag or a variable set; the others have their defaults. */
  readonly given: ReadonlySet<SettingName>;
}

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The option name that commander makes of a flag: `--api-key <key>` → `apiKey`, `--no-wait` → `wait`. */
export function flagName(setting: Setting): string | undefined {
  const long = setting.flag?.match(/--(?:no-)?([a-z-]+)/)?.[1];
  return long?.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Reads settings: a flag wins over its variable, a variable over the default.
 *
 * @param flags what the command line gave, by commander's option names.
 * @throws {AshlarError} INVALID_ARGUMENT naming the flag or the variable; a secret's value is never in the message.
 */
export function resolveSettings<Name extends SettingName>(
  names: readonly Name[],
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
): ResolvedSettings<Name> {
  const values: Partial<Record<SettingName, unknown>> = {};
  const given = new Set<SettingName>();
  const flagOf = (setting: Setting): unknown => {
    const flag = flags[flagName(setting) ?? ""];
    // Commander gives the option `wait` for --no-wait: true where the flag is not there.
    return setting.flag?.startsWith("--no-") ? flag === false || undefined : flag;
  };
  const decidedGroups = new Set(
    names
      .map((name): Setting => SETTINGS[name])
      .map((setting) => (flagOf(setting) === undefined ? undefined : setting.choiceGroup)),
  );
  for (const name of names) {
    const setting: Setting = SETTINGS[name];
    const flag = flagOf(setting);
    const isHidden = setting.choiceGroup !== undefined && decidedGroups.has(setting.choiceGroup);
    const variable = setting.env === undefined || isHidden ? undefined : env[setting.env];
    if (typeof flag === "string") values[name] = parse(setting, flag, setting.flag?.match(/--[a-z-]+/)?.[0] ?? name);
    else if (setting.unit === "flag")
      values[name] =
        flag === true || (variable !== undefined && variable !== "" && isOn(variable, setting.env ?? name));
    else if (variable !== undefined && variable !== "") values[name] = parse(setting, variable, setting.env ?? name);
    else values[name] = setting.default ?? (isList(setting) ? [] : undefined);
    if (flag !== undefined || (variable !== undefined && variable !== "")) given.add(name);
  }
  return { values: Object.freeze(values) as Settings<Name>, given };
}

/** Reads the variable of a setting whose flag takes no value. */
function isOn(text: string, origin: string): boolean {
  if (text === "1" || text === "true") return true;
  if (text === "0" || text === "false") return false;
  throw new AshlarError("INVALID_ARGUMENT", `${origin} must be 1, true, 0 or false, not "${text}"`, {
    details: { setting: origin },
  });
}

function parse(setting: Setting, text: string, origin: string): unknown {
  const refuse = (expected: string): never => {
    const shown = setting.secret ? "" : `, not "${setting.unit === "url" ? shownUrl(text) : text}"`;
    throw new AshlarError("INVALID_ARGUMENT", `${origin} must be ${expected}${shown}`, {
      details: { setting: origin },
    });
  };
  const bounded = (value: number): number => {
    const { min, max = Number.MAX_SAFE_INTEGER } = boundsOf(setting);
    return value < min || value > max ? refuse(rangeText(setting)) : value;
  };
  const within = setting.max === undefined ? `of ${rangeText(setting)}` : rangeText(setting);
  // Node decodes each byte that is not UTF-8 to this character: names that differ only in such bytes would be equal.
  if (origin === setting.env && text.includes("\ufffd")) refuse("text in UTF-8");
  if (setting.choices !== undefined && !setting.choices.includes(text)) {
    refuse(`one of ${setting.choices.join(", ")}`);
  }
  switch (setting.unit) {
    case "path":
      return text === "" ? refuse("the path of a folder") : text;
    case "text":
    case "flag":
      return text;
    case "url":
      return parseUrl(setting, text) ?? refuse(setting.schemes === undefined ? SERVER_URL : DATABASE_URL);
    case "list":
      return listOf(text);
    case "origins": {
      const origins = listOf(text);
      for (const origin of origins) {
        const problem = originProblem(origin);
        if (problem !== undefined) refuse(`origins of web pages: for "${origin}" ${problem}`);
      }
      return origins;
    }
    case "port":
      return /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : refuse("a port from 0 to 65535");
    case "count":
      return wholeNumber(text) ? bounded(Number(text)) : refuse(`a whole number ${within}`);
    case "duration":
      return bounded(parseDuration(text) ?? refuse(`a duration ${within}, such as 500ms, 30s, 5m, 1h or 7d`));
    case "weight":
      return bounded(decimalNumber(text) ?? refuse(`a number ${within}`));
    case "bytes":
      return bounded(parseBytes(text) ?? refuse(`a size ${within}, such as 64KiB, 4MiB or 65536`));
  }
}

function boundsOf({ min, max, unit }: Setting): { readonly min: number; readonly max: number | undefined } {
  return { min: min ?? (unit === "count" ? 1 : 0), max };
}

/** The values that a setting takes, in the notation of the command line. */
function rangeText(setting: Setting): string {
  const { min, max } = boundsOf(setting);
  const from = quantity(min, setting.unit);
  return max === undefined ? `at least ${from}` : `from ${from} to ${quantity(max, setting.unit)}`;
}

/** Reads `1` and `0.5`; `undefined` for anything else, signs and exponents too. */
export function decimalNumber(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

const isList = ({ unit }: Setting): boolean => unit === "list" || unit === "origins";

function listOf(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

const SERVER_URL = "a URL such as http://127.0.0.1:9000, without user, password or query";
const DATABASE_URL = "a URL such as postgres://user:password@127.0.0.1:5432/ashlar";

function parseUrl({ schemes }: Setting, text: string): string | undefined {
  if (!isUrl(text)) return undefined;
  if (schemes !== undefined) {
    return schemes.includes(new URL(text).protocol.slice(0, -1)) ? text.replace(/([^/])\/+$/, "$1") : undefined;
  }
  try {
    return checkedUrl(text);
  } catch {
    return undefined;
  }
}

/** Whether a text is a whole URL: `localhost:9000` alone would pass as a URL of the scheme "localhost". */
export function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && URL.canParse(text);
}

const wholeNumber = (text: string): boolean => /^\d+$/.test(text) && Number.isSafeInteger(Number(text));

/** A setting's default as a user would write it; `undefined` if there is none to show. */
export function defaultText({ default: value, unit }: Setting): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string") return value;
  return quantity(value, unit);
}

/** A number in the notation of the command line. */
function quantity(value: number, unit: Setting["unit"]): string {
  if (unit === "bytes") return formatExactBytes(value);
  return unit === "duration" ? formatExactDuration(value) : String(value);
}

/** Units of sizes and durations, in flags, variables and messages. */
const UNITS_BYTES = [
  ["TiB", TIB],
  ["GiB", GIB],
  ["MiB", MIB],
  ["KiB", KIB],
  ["B", 1],
] as const;
const UNITS_MS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

const NUMBER = String.raw`(\d+(?:\.\d+)?) ?`;
const PARTS = ["d", "h", "m", "s", "ms"].map((unit) => `(?:${NUMBER}${unit} ?)?`);
const DURATION = new RegExp(`^${PARTS.join("")}$`);

/** Reads `1500` (ms), `30s`, `1.5h`, `7d`, and several from the largest on: `1m 15s`. @returns whole ms; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return safe(Number(text));
  const [whole, ...numbers] = text.match(DURATION) ?? [];
  if (whole === undefined || whole.trim() === "") return undefined;
  return safe(UNITS_MS.reduce((sum, [, unitMs], index) => sum + Number(numbers[index] ?? 0) * unitMs, 0));
}

/** Reads `65536` (bytes), `64KiB`, `1.5 GiB`. @returns `undefined` for anything else; MB is refused, because it means two things. */
export function parseBytes(text: string): number | undefined {
  if (/^\d+$/.test(text)) return safe(Number(text));
  const [, number, unit] = text.match(/^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/) ?? [];
  const [, factor = Number.NaN] = UNITS_BYTES.find(([name]) => name === unit) ?? [];
  return safe(Number(number) * factor);
}

/** Rounds to whole bytes or ms; `undefined` if the value is not finite or too large to be exact. */
function safe(value: number): number | undefined {
  const whole = Math.round(value);
  return Number.isSafeInteger(whole) ? whole : undefined;
}

/** `4194304` → `4MiB`, without rounding. */
export function formatExactBytes(bytes: number): string {
  return exact(bytes, UNITS_BYTES);
}

/** `900000` → `15m`, without rounding. */
export function formatExactDuration(ms: number): string {
  return exact(ms, UNITS_MS);
}

function exact(value: number, units: ReadonlyArray<readonly [string, number]>): string {
  const [unit = "", factor = 1] = units.find(([, size]) => value >= size && value % size === 0) ?? units.at(-1) ?? [];
  return `${value / factor}${unit}`;
}
