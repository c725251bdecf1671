import { systemClock } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { ChunkUsage, type LeafUsage } from "./chunk-usage.ts";

const ADD: LeafUsage = { chunkCount: 1, bytesUsed: 10 };
const REMOVE: LeafUsage = { chunkCount: -1, bytesUsed: -10 };

/** A disk in memory whose scans take several turns, so that changes fall into them. */
function slowDisk(leaves: Record<string, number>): { leaves: Record<string, number>; usage: ChunkUsage } {
  const pause = (): Promise<void> => systemClock.sleep(1);
  const scanner = {
    async *leafKeys() {
      for (const key of Object.keys(leaves).sort()) yield key;
    },
    async scan(key: string) {
      await pause();
      const chunkCount = leaves[key] ?? 0;
      await pause();
      return { chunkCount, bytesUsed: chunkCount * 10 };
    },
  };
  return { leaves, usage: new ChunkUsage(scanner, systemClock) };
}

describe("counting chunks", () => {
  test("totals are right although chunks come and go while they are being counted", async () => {
    const { leaves, usage } = slowDisk({ aa00: 5, aa01: 5, bb00: 5, ff00: 5 });
    const keys = ["aa00", "aa01", "bb00", "cc00", "dd00", "ff00"];
    const walk = usage.walk();
    for (let step = 0; step < 60; step++) {
      const key = keys[step % keys.length]!;
      const removes = step % 4 === 3 && (leaves[key] ?? 0) > 0;
      await usage.change(key.padEnd(64, "0"), async () => {
        if (step % 3 === 0) await systemClock.sleep(1);
        leaves[key] = (leaves[key] ?? 0) + (removes ? -1 : 1);
        if (step % 5 === 0) await systemClock.sleep(1);
        return removes ? REMOVE : ADD;
      });
    }
    await walk;
    const chunkCount = Object.values(leaves).reduce((sum, count) => sum + count, 0);
    expect(chunkCount).toBeGreaterThan(20);
    expect(await usage.totals()).toEqual({ chunkCount, bytesUsed: chunkCount * 10 });
    await usage.change("aa00".padEnd(64, "0"), async () => ADD);
    expect(await usage.totals()).toEqual({ chunkCount: chunkCount + 1, bytesUsed: chunkCount * 10 + 10 });
  });

  test("a failed change counts nothing", async () => {
    const { usage } = slowDisk({ aa00: 1 });
    await usage.walk();
    const failing = usage.change("aa00".padEnd(64, "0"), () => Promise.reject(new Error("disk full")));
    await expect(failing).rejects.toThrow("disk full");
    expect(await usage.totals()).toEqual({ chunkCount: 1, bytesUsed: 10 });
  });

  test("a walk that failed is started again and counts nothing twice", async () => {
    let failures = 1;
    const scanner = {
      async *leafKeys() {
        yield "aa00";
        yield "bb00";
      },
      async scan(key: string) {
        if (key === "bb00" && failures-- > 0) throw new Error("EIO");
        return ADD;
      },
    };
    const usage = new ChunkUsage(scanner, systemClock);
    await expect(usage.totals()).rejects.toThrow("EIO");
    expect(await usage.totals()).toEqual({ chunkCount: 2, bytesUsed: 20 });
  });
});
