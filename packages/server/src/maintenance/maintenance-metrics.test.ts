import { systemClock } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import { createMetrics } from "../observability/index.ts";
import { maintenanceMetrics } from "./maintenance-metrics.ts";

test("with one layout in use no chunk is behind, whatever this gateway saw last: another one may have moved the rest", async () => {
  const metrics = createMetrics();
  const record = maintenanceMetrics({ metrics, clock: systemClock });
  const figure = async (name: string): Promise<number> =>
    Number((await metrics.render()).text.match(new RegExp(`^${name} (\\d+)$`, "m"))?.[1]);
  record.layouts(2);
  await record.rebalance(async () => ({ chunksMoved: 1, chunksReleased: 0, moveCopiesQueued: 4, chunksBehind: 5 }));
  record.layouts(3);
  expect([await figure("ashlar_layouts_in_use"), await figure("ashlar_chunks_behind_layout")]).toEqual([3, 5]);
  record.layouts(1);
  expect([await figure("ashlar_layouts_in_use"), await figure("ashlar_chunks_behind_layout")]).toEqual([1, 0]);
});
