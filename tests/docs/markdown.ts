import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository's folder, with a slash at its end. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** A block of code on a page. */
export interface CodeBlock {
  /** The word after the fence: `ts`, `sh`, `text`. */
  readonly language: string;
  readonly code: string;
  /** Line of the fence, 1-based. */
  readonly line: number;
  /** The comment in the line before the fence: `run`, `run elsewhere: <test>`, `run instead of the seat`. */
  readonly directive: string | undefined;
}

/** Languages whose blocks readers will paste. */
export const RUNNABLE: ReadonlySet<string> = new Set(["ts", "js", "sh", "bash", "python"]);

export function readPage(path: string): string {
  return readFileSync(`${ROOT}${path}`, "utf8");
}

/** The blocks of a page in order. */
export function codeBlocks(page: string): readonly CodeBlock[] {
  const lines = page.split("\n");
  const blocks: CodeBlock[] = [];
  for (let index = 0; index < lines.length; index++) {
    const language = lines[index]?.match(/^```(\w+)$/)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", index + 1);
    if (end < 0) throw new Error(`the block of line ${index + 1} has no end`);
    const directive = lines[index - 1]?.match(/^<!-- (.*) -->$/)?.[1];
    blocks.push({ language, code: lines.slice(index + 1, end).join("\n"), line: index + 1, directive });
    index = end;
  }
  return blocks;
}
