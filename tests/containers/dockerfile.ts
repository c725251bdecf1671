import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./compose-file.ts";

/** What the Dockerfile's last stage says of a container. */
export interface ImageConfig {
  readonly args: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
  /** Names of the images that stages begin with, build arguments filled in. */
  readonly baseImages: readonly string[];
}

/** Reads our Dockerfile. It knows only the forms of instructions that are used there. */
export function readDockerfile(): ImageConfig {
  const text = readFileSync(join(ROOT, "Dockerfile"), "utf8").replace(/\\\n/g, " ");
  const lines = text.split("\n").filter((line) => /^[A-Z]+ /.test(line));
  const last = lines.findLastIndex((line) => line.startsWith("FROM "));
  const one = (instruction: string): string => {
    const found = lines.slice(last).filter((line) => line.startsWith(`${instruction} `));
    if (found.length !== 1) throw new Error(`the last stage has ${found.length} ${instruction}`);
    return String(found[0]).slice(instruction.length + 1);
  };
  const pairs = (words: string): (readonly [string, string])[] =>
    words
      .trim()
      .split(/\s+/)
      .map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)] as const);
  const args = Object.fromEntries(
    lines.filter((line) => line.startsWith("ARG ")).flatMap((line) => pairs(line.slice("ARG ".length))),
  );
  const baseImages = lines
    .filter((line) => line.startsWith("FROM "))
    .map((line) => String(line.split(/\s+/)[1]).replace(/\$\{(\w+)\}/g, (_, name: string) => args[name] ?? ""));
  return {
    args,
    env: Object.fromEntries(pairs(one("ENV"))),
    user: one("USER"),
    entrypoint: JSON.parse(one("ENTRYPOINT")) as string[],
    healthcheck: JSON.parse(one("HEALTHCHECK").replace(/^.*?CMD /, "")) as string[],
    baseImages,
  };
}
