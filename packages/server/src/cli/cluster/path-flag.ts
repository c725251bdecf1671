import { relative, resolve } from "node:path";
import process from "node:process";
import { SETTINGS } from "../config.ts";
import { shellWord } from "../shell-word.ts";

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
