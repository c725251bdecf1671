import { relative, resolve } from "node:path";
import process from "node:process";
import { visibleText } from "../observability/control-characters.ts";
import { SETTINGS } from "./config.ts";

/** A text as one word of a POSIX shell, for commands that users may paste. Quoted only if necessary; control characters in the notation of bash. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (visibleText(text) === text) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${visibleText(text.replace(/[\\']/g, "\\$&"))}'`;
}

/** `--path` for `cluster` commands that are shown; empty if it is the default. */
export function pathFlag(path: string): string {
  const short = shorterPath(path);
  return short === SETTINGS.clusterPath.default ? "" : ` --path ${shellWord(short)}`;
}

/** A path as one types it in the current folder. */
export function shorterPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" || short.startsWith("..") ? resolve(path) : short;
}
