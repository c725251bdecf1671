import { relative, resolve } from "node:path";
import process from "node:process";
import { visibleText } from "../observability/control-characters.ts";
import { SETTINGS } from "./config.ts";

/** A text as one word of a POSIX shell, for commands that are shown to be pasted. Quoted only where it must be; control characters in bash's way. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (visibleText(text) === text) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${visibleText(text.replace(/[\\']/g, "\\$&"))}'`;
}

/** `--path` for `cluster` commands that are shown, where it is not the default. */
export function pathFlag(path: string): string {
  const short = shorterPath(path);
  return short === SETTINGS.clusterPath.default ? "" : ` --path ${shellWord(short)}`;
}

/** A path as it is typed from here. */
export function shorterPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" || short.startsWith("..") ? resolve(path) : short;
}
