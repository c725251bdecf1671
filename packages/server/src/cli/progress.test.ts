import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createProgress, createStatusLine, progressLine } from "./progress.ts";

test("a line shows bytes, rate and the time left", () => {
  const progress = { transferredBytes: 25_000_000, totalBytes: 100_000_000 };
  expect(progressLine("cat.jpg", progress, 5, false)).toBe("cat.jpg  25 %  23.8 MiB of 95.4 MiB  4.8 MiB/s  15s left");
  expect(progressLine("x", progress, 5, true)).toContain(`[${"=".repeat(6)}${" ".repeat(18)}] 25 %`);
  expect(progressLine("x", { transferredBytes: 1024 }, 1, true)).toBe("x  1.0 KiB  1.0 KiB/s");
  expect(progressLine("x", { transferredBytes: 0, totalBytes: 10 }, 0, false)).toBe("x  0 %  0 B of 10 B  0 B/s");
  expect(progressLine("a\u001b[2J\nb", { transferredBytes: 0 }, 0, true)).toBe("a\\x1b[2J\\nb  0 B  0 B/s");
  expect(progressLine("x", { transferredBytes: 0, totalBytes: 0 }, 0, true)).toBe("x  0 B  0 B/s");
});

test("a terminal gets a bar that is redrawn, cut to its width, and erased at the end", () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 40 });
  const progress = createProgress(stream, { label: "a label that is quite long", shown: true });
  progress.onProgress({ transferredBytes: 1, totalBytes: 2 });
  progress.onProgress({ transferredBytes: 2, totalBytes: 2 });
  progress.end();
  const drawn = String(stream.read());
  expect(drawn).toMatch(/^\ra label that is quite long/);
  expect(drawn.split("\r")[1]?.replace("\x1b[K", "").length).toBe(39);
  expect(drawn.endsWith("\r\x1b[K")).toBe(true);
});

test("nothing is printed for short transfers elsewhere, or if progress is not to be shown", () => {
  for (const [isTTY, shown] of [
    [false, true],
    [true, false],
  ]) {
    const stream = Object.assign(new PassThrough(), { isTTY });
    const progress = createProgress(stream, { label: "x", shown: shown === true });
    progress.onProgress({ transferredBytes: 1, totalBytes: 2 });
    progress.end();
    expect(stream.read()).toBeNull();
    expect(progress.seconds()).toBeGreaterThanOrEqual(0);
  }
});

test("a status line is made only when it is shown, and a terminal redraws and erases it", () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 12 });
  const status = createStatusLine(stream, { shown: true });
  let made = 0;
  for (let turn = 0; turn < 3; turn++) status.show(() => `a line that is long ${++made}`);
  status.end();
  expect(made).toBe(1);
  expect(String(stream.read())).toBe("\ra line that\x1b[K\r\x1b[K");
});
