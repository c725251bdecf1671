import { test } from "vitest";
import { defineEndToEnd } from "./end-to-end.ts";

/**
 * Against the gateway at ASHLAR_TEST_URL with the admin key ASHLAR_TEST_KEY, both seats over every transport: what docker-compose.test.yml
 * runs. Without them, cluster-as-processes.test.ts runs the same cases, one seat and transport, against a cluster of its own.
 */
const { ASHLAR_TEST_URL: url, ASHLAR_TEST_KEY: apiKey } = process.env;

if (url === undefined) {
  test.skip("a cluster that runs already: ASHLAR_TEST_URL is not set", () => {});
} else {
  if (apiKey === undefined) throw new Error("ASHLAR_TEST_URL is set, ASHLAR_TEST_KEY is not");
  const transports = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js"] as const;
  defineEndToEnd({ seats: ["gateway", "direct"], transports }, () => ({ url, apiKey }));
}
