/** All options of seats and transports are checked when the seat or transport is made, and nowhere else. */
import { embedded } from "@ashlar/adapters/embedded";
import { inMemory } from "@ashlar/adapters/memory";
import * as node from "@ashlar/adapters/node";
import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { grpcJsTransport } from "@ashlar/adapters/transport/grpc-js";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { direct, gateway } from "@ashlar/sdk";
import { createCredentialClient } from "@ashlar/sdk/credentials";
import { AshlarError } from "@ashlar/sdk/errors";
import { traced } from "@ashlar/sdk/tracing";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { inProcessTransport } from "@ashlar/sdk/transport/in-process";
import { describe, expect, test } from "vitest";

type Make = (options: never) => unknown;

const url = "http://127.0.0.1:1";
const NO_AMOUNTS = [null, "3", -1, Number.NaN, {}, true];
const NO_COUNTS = [...NO_AMOUNTS, 0, 1.5];
const NO_FUNCTIONS = [null, 5, "f", {}];
const NO_OBJECTS = [null, 5, "o", {}, () => {}];
const NO_TEXTS = [null, 5, {}];
const NO_RETRIES = [
  null,
  5,
  "3",
  ...NO_AMOUNTS.map((forMs) => ({ forMs })),
  ...NO_FUNCTIONS.map((onRetry) => ({ onRetry })),
];
const DURABILITIES = [null, 5, "fast", "strict|batched"];
const SEAT = {
  transport: NO_OBJECTS,
  chunker: NO_OBJECTS,
  durability: DURABILITIES,
  hedgeAfterMs: NO_AMOUNTS,
  retry: NO_RETRIES,
  hasher: NO_OBJECTS,
  clock: NO_OBJECTS,
  random: NO_OBJECTS,
  logger: NO_OBJECTS,
  apiKey: [null, 5, "", "two words"],
  url: [null, 5, "", "ftp://a"],
};
const FETCH = { fetch: NO_FUNCTIONS };

const MADE: Readonly<Record<string, readonly [Make, object, Readonly<Record<string, readonly unknown[]>>]>> = {
  gateway: [gateway, { url }, SEAT],
  direct: [direct, { url }, { ...SEAT, refreshAfterMs: NO_AMOUNTS }],
  "gateway for Node": [node.gateway, { url }, SEAT],
  "direct for Node": [node.direct, { url }, { ...SEAT, refreshAfterMs: NO_AMOUNTS }],
  embedded: [
    embedded,
    { path: "/nowhere" },
    {
      path: [null, 5, ""],
      durability: DURABILITIES,
      inlineMaxBytes: NO_AMOUNTS,
      claimTtlMs: NO_AMOUNTS,
      collectGraceMs: NO_AMOUNTS,
      retry: NO_RETRIES,
      logger: NO_OBJECTS,
    },
  ],
  inMemory: [inMemory, {}, { fault: NO_FUNCTIONS, capacityBytes: NO_AMOUNTS, inlineMaxBytes: NO_AMOUNTS }],
  createCredentialClient: [
    createCredentialClient,
    { url, apiKey: "ashlar_0_0" },
    { ...FETCH, url: SEAT.url, apiKey: SEAT.apiKey },
  ],
  httpTransport: [httpTransport, {}, FETCH],
  connectTransport: [connectTransport, {}, FETCH],
  grpcWebTransport: [grpcWebTransport, {}, FETCH],
  inProcessTransport: [
    inProcessTransport,
    { routes: () => {} },
    { ...FETCH, routes: NO_FUNCTIONS, readMaxBytes: NO_COUNTS },
  ],
  undiciTransport: [undiciTransport, {}, { connectionsPerServer: NO_COUNTS, ca: NO_TEXTS, dispatcher: NO_OBJECTS }],
  grpcTransport: [grpcTransport, {}, { connectionsPerServer: NO_COUNTS, ca: NO_TEXTS }],
  grpcJsTransport: [grpcJsTransport, {}, { ca: NO_TEXTS, channelOptions: [null, 5, () => {}] }],
};

function refusal(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return AshlarError.is(error) ? error.code : error;
  }
  return "was taken";
}

describe.each(Object.keys(MADE))("%s", (name) => {
  const [make, good, bad] = MADE[name] as (typeof MADE)[string];

  test("takes good options, and undefined for those that are not given", () => {
    const none = Object.fromEntries(Object.keys(bad).map((option) => [option, undefined]));
    expect(refusal(() => make({ ...none, ...good } as never))).toBe("was taken");
  });

  test.each(Object.keys(bad))("refuses a bad %s at once", (option) => {
    for (const value of bad[option] ?? []) {
      const found = refusal(() => make({ ...good, [option]: value } as never));
      expect([value, found]).toEqual([value, "INVALID_ARGUMENT"]);
    }
  });

  test("refuses a value that is no options object", () => {
    for (const options of [null, 5, "http://127.0.0.1:1"])
      expect([options, refusal(() => make(options as never))]).toEqual([options, "INVALID_ARGUMENT"]);
  });
});

test("a traced seat needs a seat and a tracer", () => {
  const tracer = { start: () => {} };
  for (const [seat, given] of [
    [inMemory, tracer],
    [null, tracer],
    [inMemory(), null],
    [inMemory(), {}],
  ])
    expect(refusal(() => traced(seat as never, given as never))).toBe("INVALID_ARGUMENT");
  expect(refusal(() => traced(inMemory(), tracer as never, { keys: "yes" } as never))).toBe("INVALID_ARGUMENT");
});
