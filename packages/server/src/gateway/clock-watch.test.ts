import { silentLogger } from "@ashlar/sdk/ports";
import { beforeEach, describe, expect, it } from "vitest";
import { createMetrics } from "../observability/prom-metrics.ts";
import { type ClockWatch, createClockWatch } from "./clock-watch.ts";

const HOUR_MS = 3_600_000;

let wallMs: number;
let monotonicMs: number;
let lines: string[];
let metrics: ReturnType<typeof createMetrics>;
let clocks: ClockWatch;

beforeEach(() => {
  wallMs = 1_800_000_000_000;
  monotonicMs = 0;
  lines = [];
  metrics = createMetrics();
  const logger = { ...silentLogger, error: (_: object, message: string) => void lines.push(message) };
  clocks = createClockWatch({ clock: { nowMs: () => wallMs, monotonicMs: () => monotonicMs }, logger, metrics });
});

const figure = async (name: string): Promise<string | undefined> => {
  const { text } = await metrics.render();
  return text.split("\n").find((line) => line.startsWith(name));
};

describe("a watch of clocks", () => {
  it("logs a difference once, until the clocks agreed again on that side", async () => {
    clocks.differs("n1", 25 * HOUR_MS);
    clocks.differs("n1", 25 * HOUR_MS + 1000);
    clocks.agrees("n1", "behind");
    expect(lines).toEqual(["the clock of n1 is 1d 1h ahead of this gateway's; set both right (NTP)"]);
    expect(await figure("ashlar_node_clock_ahead_seconds")).toBe('ashlar_node_clock_ahead_seconds{node="n1"} 90001');
    clocks.agrees("n1", "ahead");
    expect(clocks.differing().size).toBe(0);
    expect(await figure("ashlar_node_clock_ahead_seconds")).toBe('ashlar_node_clock_ahead_seconds{node="n1"} 0');
    clocks.differs("n1", -2 * HOUR_MS);
    expect(lines.at(-1)).toBe("the clock of n1 is at least 2h behind this gateway's; set both right (NTP)");
  });

  it("forgets nodes that are gone", () => {
    clocks.differs("n1", HOUR_MS);
    clocks.differs("n2", HOUR_MS);
    clocks.keepOnly(new Set(["n2"]));
    expect([...clocks.differing().keys()]).toEqual(["n2"]);
  });

  it.each([25 * HOUR_MS, -HOUR_MS])(
    "sees that its own clock moved by %i ms, logs it once and keeps it for a day",
    async (byMs) => {
      wallMs += byMs;
      expect(clocks.ownStepMs()).toBe(byMs);
      expect(clocks.ownStepMs()).toBe(byMs);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(byMs > 0 ? "moved on by 1d 1h at once" : "moved back by 1h at once");
      expect(await figure("ashlar_gateway_clock_steps_total")).toBe("ashlar_gateway_clock_steps_total 1");
      wallMs += 24 * HOUR_MS;
      monotonicMs += 24 * HOUR_MS;
      expect(clocks.ownStepMs()).toBe(0);
    },
  );

  it("takes no drift for a step", () => {
    for (let hour = 0; hour < 1000; hour++) {
      monotonicMs += HOUR_MS;
      wallMs += HOUR_MS + 2000;
      expect(clocks.ownStepMs()).toBe(0);
    }
    expect(lines).toEqual([]);
  });
});
