import { defineCommand } from "../command.ts";
import { GATEWAY_SETTINGS, NODE_SETTINGS, SERVE_SETTINGS } from "../servers/server-settings.ts";

/** The servers load their libraries only when they are started: client commands should start fast. */
export const serveCommand = defineCommand({
  name: "serve",
  summary: "all in one: a gateway with one local store, in one folder",
  arguments: [],
  settings: SERVE_SETTINGS,
  examples: ["serve", "serve --path /var/lib/ashlar --host 0.0.0.0 --port 9000"],
  run: async (call) => (await import("../servers/run-serve.ts")).runServe(call),
});

export const nodeCommand = defineCommand({
  name: "node",
  summary: "a storage node of a cluster",
  arguments: [],
  settings: NODE_SETTINGS,
  examples: ["node --server-id n1 --data-dir /var/lib/ashlar --port 50051"],
  run: async (call) => (await import("../servers/run-node.ts")).runNode(call),
});

export const gatewayCommand = defineCommand({
  name: "gateway",
  summary: "a gateway of a cluster; any number may serve one database",
  arguments: [],
  settings: GATEWAY_SETTINGS,
  examples: ["gateway --port 9000", "gateway --path ./gateway --port 9000"],
  run: async (call) => (await import("../servers/run-gateway.ts")).runGateway(call),
});
