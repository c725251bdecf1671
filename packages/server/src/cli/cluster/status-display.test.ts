import { expect, test } from "vitest";
import type { ProcessView } from "../../local-cluster/index.ts";
import { statusTable } from "./status-display.ts";

const REASON = `exit code 1: ${"node-2 cannot use its folder because of something that takes many words to tell ".repeat(2)}`;

function view(name: string, more: Partial<ProcessView>): ProcessView {
  return {
    ...{ name, kind: "node", state: "ready", reason: undefined, pid: 1_234_567, address: "http://127.0.0.1:20123" },
    ...{ chunks: 123_456, bytesUsed: 1_070_000_000, bytesFree: 1_070_000_000, restarts: 12, log: "" },
    ...{ keptDownForMs: undefined, ...more },
  };
}

const views = [
  view("postgres", { address: "127.0.0.1:20001" }),
  view("node-1", { state: "kept down", reason: "for 1 h", keptDownForMs: 3_599_000 }),
  view("node-2", { state: "restarting", reason: REASON }),
];

test("on a narrow screen nothing is cut: notes are below their process, in as many lines as they need", () => {
  const text = statusTable(views, 79);
  for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(79);
  expect(text.replaceAll(/\s+/g, " ")).toContain(REASON.trim());
  expect(text).toMatch(/^name +state +pid +port +chunks +bytes +disk free +restarts$/m);
  expect(text).toMatch(/^node-1 +kept down +1234567 +20123 .* 12\n {2}for another 59m 59s$/m);
});

test("on a wide screen addresses are complete and a note is one line", () => {
  const text = statusTable(views);
  expect(text).toContain("http://127.0.0.1:20123");
  expect(text).toContain(`\n  ${REASON}`);
});
