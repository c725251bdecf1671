import type { Layout } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { changedLayout, layoutWithServer, resolveLayoutDefaults } from "./layout-changes.ts";

const defaults = resolveLayoutDefaults({});
const two: Layout = {
  ...{ layoutVersion: 4, replicationFactor: 2, virtualNodesPerServer: 100 },
  servers: [
    { serverId: "a", weight: 1 },
    { serverId: "c", zone: "z", weight: 2 },
  ],
};
const code = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe("a server that registers", () => {
  test("joins in its place, and the numbers of the layout stay", () => {
    const next = layoutWithServer(two, { serverId: "b", zone: "y", weight: 0.5 }, defaults);
    const servers = [two.servers[0], { serverId: "b", zone: "y", weight: 0.5 }, two.servers[1]];
    expect(next).toEqual({ ...two, layoutVersion: 5, servers });
  });

  test("changes nothing if it is there, unless it has moved to another zone", () => {
    expect(layoutWithServer(two, { serverId: "c", weight: 9 }, defaults)).toBeUndefined();
    expect(layoutWithServer(two, { serverId: "c", zone: "z", weight: 9 }, defaults)).toBeUndefined();
    const moved = layoutWithServer(two, { serverId: "c", zone: "x", weight: 9 }, defaults);
    expect(moved?.servers[1]).toEqual({ serverId: "c", zone: "x", weight: 2 });
  });

  test("begins the first layout, but not with a weight of 0", () => {
    expect(layoutWithServer(undefined, { serverId: "a", weight: 1 }, defaults)).toEqual({
      ...{ layoutVersion: 1, replicationFactor: 3, virtualNodesPerServer: 150 },
      servers: [{ serverId: "a", weight: 1 }],
    });
    expect(layoutWithServer(undefined, { serverId: "a", weight: 0 }, defaults)).toBeUndefined();
  });
});

describe("an operator's change", () => {
  const registered = new Map([["b", { serverId: "b", zone: "y", weight: 1 }]]);
  const context = { registered, defaults };

  test("sets weights, brings registered servers in and takes others out", () => {
    const next = changedLayout(two, { weights: { a: 0, b: 3 }, removeServerIds: ["c"] }, context);
    expect(next.servers).toEqual([
      { serverId: "a", weight: 0 },
      { serverId: "b", zone: "y", weight: 3 },
    ]);
    expect([next.layoutVersion, next.replicationFactor, next.virtualNodesPerServer]).toEqual([5, 2, 100]);
  });

  test("is refused if it names an unknown server or leaves none", () => {
    expect(code(() => changedLayout(two, { weights: { x: 1 } }, context))).toBe("SERVER_NOT_FOUND");
    expect(code(() => changedLayout(two, { removeServerIds: ["b"] }, context))).toBe("SERVER_NOT_FOUND");
    expect(code(() => changedLayout(two, { removeServerIds: ["a", "c"] }, context))).toBe("INVALID_ARGUMENT");
    expect(code(() => changedLayout(undefined, {}, context))).toBe("INVALID_ARGUMENT");
    expect(code(() => changedLayout(two, { weights: { a: 1000, c: 1000, b: 1000 } }, context))).toBe(
      "INVALID_ARGUMENT",
    );
  });
});
