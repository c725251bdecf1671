import { AshlarError } from "@ashlar/sdk/errors";
import type { NodeRegistry } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import { lazyRegistry } from "./run-node.ts";

const EMPTY = { nodes: [], layouts: [] };

test("opens at the first call, again after a failure, and closes what it opened", async () => {
  let openings = 0;
  let closings = 0;
  const lazy = lazyRegistry(async () => {
    openings++;
    if (openings === 1) throw new AshlarError("METADATA_UNAVAILABLE", "the database is away");
    return {
      registry: { clusterSnapshot: async () => EMPTY } as unknown as NodeRegistry,
      [Symbol.asyncDispose]: async () => void closings++,
    };
  });
  expect(openings).toBe(0);
  await expect(lazy.registry.clusterSnapshot()).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
  await expect(lazy.registry.clusterSnapshot()).resolves.toBe(EMPTY);
  await expect(lazy.registry.clusterSnapshot()).resolves.toBe(EMPTY);
  expect(openings).toBe(2);
  await lazy[Symbol.asyncDispose]();
  expect(closings).toBe(1);
});

test("a call that fails keeps the registry open", async () => {
  let openings = 0;
  const lazy = lazyRegistry(async () => {
    openings++;
    const fail = async (): Promise<never> => {
      throw new AshlarError("NODE_NOT_FOUND", "who?");
    };
    return { registry: { stopNode: fail } as unknown as NodeRegistry, [Symbol.asyncDispose]: async () => {} };
  });
  await expect(lazy.registry.stopNode("n1")).rejects.toMatchObject({ code: "NODE_NOT_FOUND" });
  await expect(lazy.registry.stopNode("n1")).rejects.toMatchObject({ code: "NODE_NOT_FOUND" });
  expect(openings).toBe(1);
});

test("closing a registry that was never opened does not open it", async () => {
  let openings = 0;
  const lazy = lazyRegistry(async () => {
    openings++;
    throw new Error("not reached");
  });
  await lazy[Symbol.asyncDispose]();
  expect(openings).toBe(0);
});
