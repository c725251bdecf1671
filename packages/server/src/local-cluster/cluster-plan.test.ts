import { createServer } from "node:net";
import { expect, test } from "vitest";
import { type ClusterPlan, makePlan, nextNodeName, type PlanSettings, planNode } from "./cluster-plan.ts";
import { pickPort } from "./ports.ts";

const NOTHING: PlanSettings = {
  nodes: undefined,
  gatewayPort: 0,
  nodePort: undefined,
  postgresPort: undefined,
  databaseUrl: undefined,
};
const EXTERNAL = "postgres://somewhere/else";

const portsOf = ({ database, gatewayPort, nodes }: ClusterPlan): number[] => [
  ...(database.kind === "embedded" ? [database.port] : []),
  gatewayPort,
  ...nodes.map(({ port }) => port),
];

test("the first plan has six nodes, and a free port of its own for everything", async () => {
  const plan = await makePlan(undefined, NOTHING);
  expect(plan.nodes.map(({ name }) => name)).toEqual(["node-1", "node-2", "node-3", "node-4", "node-5", "node-6"]);
  expect(new Set(portsOf(plan)).size).toBe(8);
  expect(portsOf(plan)).not.toContain(0);
  expect(plan.database).toMatchObject({ kind: "embedded", password: expect.stringMatching(/^[0-9a-f]{48}$/) });
});

test("the next one is the same; flags change what they name, and more nodes join", async () => {
  const plan = await makePlan(undefined, { ...NOTHING, nodes: 2 });
  const remembered = { ...NOTHING, gatewayPort: undefined };
  expect(await makePlan(plan, remembered)).toEqual(plan);
  const grown = await makePlan(plan, { ...remembered, nodes: 3 });
  expect(grown.nodes.slice(0, 2)).toEqual(plan.nodes);
  expect(grown.nodes[2]?.name).toBe("node-3");
  const moved = await makePlan(plan, { ...remembered, nodePort: 0 });
  expect(moved.gatewayPort).toBe(plan.gatewayPort);
  expect(moved.nodes[0]?.port).not.toBe(plan.nodes[0]?.port);
  const added = await planNode(plan);
  expect(added.name).toBe("node-3");
  expect(portsOf(plan)).not.toContain(added.port);
});

test("named ports follow each other", async () => {
  // Another program may have the port after a free one: then it is tried again elsewhere.
  const plan = async (tries: number): Promise<ClusterPlan> => {
    const first = await pickPort(new Set());
    const settings = { ...NOTHING, nodes: 2, nodePort: first };
    return await makePlan(undefined, settings).catch((error: unknown) => {
      if (tries === 0) throw error;
      return plan(tries - 1);
    });
  };
  const [one, two] = (await plan(5)).nodes;
  expect(two?.port).toBe((one?.port ?? 0) + 1);
});

test("a taken port, and two that are the same, are refused with the option that changes it", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const refusal = makePlan(undefined, { ...NOTHING, gatewayPort: port });
  await expect(refusal).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining(`port ${port} of gateway is taken`),
    details: { problem: "PORT_TAKEN", options: "gatewayPort" },
  });
  await new Promise((resolve) => server.close(resolve));
  const same = makePlan(undefined, { ...NOTHING, gatewayPort: port, postgresPort: port });
  await expect(same).rejects.toMatchObject({
    message: expect.stringContaining("wanted by postgres and by gateway"),
    details: { problem: "PORT_WANTED_TWICE", options: "postgresPort,gatewayPort" },
  });
});

test("fewer nodes than there are, and another database than the data's, are refused", async () => {
  const own = await makePlan(undefined, { ...NOTHING, nodes: 2 });
  const code = "INVALID_ARGUMENT";
  await expect(makePlan(own, { ...NOTHING, nodes: 1 })).rejects.toMatchObject({ code });
  await expect(makePlan(own, { ...NOTHING, nodes: 1000 })).rejects.toMatchObject({ code });
  await expect(makePlan(own, { ...NOTHING, databaseUrl: EXTERNAL })).rejects.toMatchObject({ code });
  const other = await makePlan(undefined, { ...NOTHING, nodes: 2, databaseUrl: EXTERNAL });
  expect(other.database).toEqual({ kind: "external" });
  await expect(makePlan(other, NOTHING)).rejects.toMatchObject({ code });
});

test("numbers of nodes are not used twice", () => {
  expect(
    nextNodeName([
      { name: "node-1", port: 1 },
      { name: "node-7", port: 2 },
    ]),
  ).toBe("node-8");
  expect(nextNodeName([])).toBe("node-1");
});
