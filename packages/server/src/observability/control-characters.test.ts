import { expect, test } from "vitest";
import { visibleJson, visibleLines, visibleText } from "./control-characters.ts";
import { createPinoLogger } from "./pino-logger.ts";

/** One of each kind: ESC, BEL, DEL, C1 CSI, line and paragraph separators, a bidi override and an isolate, an invisible one, half a pair. */
const EVIL = ["\x1b", "\x07", "\x00", "\x7f", "\u009b", "\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\ud800"];

test("control characters become visible, everything else stays", () => {
  expect(visibleText("a\x1b[2J\r\n\tb\u009bm\u202egpj.exe")).toBe("a\\x1b[2J\\r\\n\\tb\\u009bm\\u202egpj.exe");
  for (const text of ["2026/cat.jpg", "grüße/日本/🏴‍☠️", "a\\nb", "شكرا", "می‌خواهم"])
    expect(visibleText(text)).toBe(text);
  for (const character of EVIL) expect(visibleText(`a${character}b`), escape(character)).toMatch(/^a\\[xu][0-9a-f]+b$/);
});

test("lines of ours stay lines", () => {
  expect(visibleLines("one\ntwo\x1b[1m\rthree")).toBe("one\ntwo\\x1b[1m\\rthree");
});

test("JSON means the same afterwards, and holds none of them", () => {
  const value = { key: EVIL.join("x"), nested: ["\n"] };
  const json = visibleJson(JSON.stringify(value));
  expect(JSON.parse(json)).toEqual(value);
  for (const character of EVIL) expect(json).not.toContain(character);
  expect(visibleJson('{"a":1}\n')).toBe('{"a":1}\n');
});

test("a log line holds none of them, wherever they came from", () => {
  const lines: string[] = [];
  const logger = createPinoLogger({ destination: { write: (line) => void lines.push(line) } });
  const text = `k${EVIL.join("")}\n`;
  logger.child({ text }).warn({ key: text, error: new Error(text) }, text);
  expect(lines).toHaveLength(1);
  for (const character of EVIL) expect(lines[0]).not.toContain(character);
  expect(lines[0]?.trimEnd()).not.toContain("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ key: text, msg: text, text });
});
