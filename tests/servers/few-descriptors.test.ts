/** Servers that may have few file descriptors, and clients that want more. */
import { type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { gateway } from "@ashlar/adapters/node";
import { AshlarError, createClient, fixed, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ASHLAR_COMMAND } from "../support/ashlar-program.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;
const SIZE = 20 * CHUNK;
const KEY = { CLUSTER_KEY: "the tests' own cluster key, 32 characters" };
const LIMIT_MS = 180_000;
const PATIENCE = { timeout: 60_000 };
/** A server takes half of what it does not need at rest for connections: 96. */
const DESCRIPTORS = 256;
const CONNECTIONS = 96;

let stack: AsyncDisposableStack;
let folder: TempFolder;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await createTempFolder());
});

afterEach(() => stack.disposeAsync());

/** Starts a server with few descriptors; Node raises a lower soft limit, so the hard one is lowered too. */
async function start(): Promise<ServerProcess> {
  const args = ["serve", "--path", folder.at("store"), "--port", "0", "--operations-port", "0"];
  const server = await startServerProcess(args, KEY, [
    "sh",
    "-c",
    `ulimit -n ${DESCRIPTORS} && exec "$@"`,
    "sh",
    ...ASHLAR_COMMAND,
  ]);
  stack.defer(() => server.kill());
  return server;
}

function open({ url, ready }: ServerProcess, forMs?: number): ObjectClient {
  const retry = forMs === undefined ? {} : { retry: { forMs } };
  const client = createClient(gateway({ url, apiKey: String(ready.apiKey), chunker: fixed(CHUNK), ...retry }));
  stack.defer(() => client.close());
  return client;
}

/** Opens connections, asks something on each and keeps them, as pools of clients do. @returns how to close them. */
async function hold({ url }: ServerProcess, count: number): Promise<() => void> {
  const port = Number(new URL(url).port);
  const sockets = await Promise.all(
    Array.from({ length: count }, async (): Promise<Socket> => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {}); // refused
      socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await new Promise<void>((resolve) => void socket.once("data", () => resolve()).once("close", () => resolve()));
      return socket;
    }),
  );
  const close = (): void => void sockets.map((socket) => socket.destroy());
  stack.defer(close);
  return close;
}

/** Of a server that has as many connections as it takes: one more is refused, which its readiness tells for some seconds. */
async function expectConnectionsRefused(server: ServerProcess): Promise<void> {
  const look = async (): Promise<unknown> => {
    await hold(server, 1);
    return await readiness(server);
  };
  await expect.poll(look, PATIENCE).toEqual([503, "used up"]);
}

async function readiness({ ready }: ServerProcess): Promise<readonly [number, string | undefined]> {
  const response = await fetch(`${String(ready.operationsUrl)}/readyz`);
  const { checks } = (await response.json()) as { readonly checks: Readonly<Record<string, string>> };
  return [response.status, checks.descriptors];
}

const linesOf = (server: ServerProcess, text: string): readonly string[] =>
  server
    .log()
    .split("\n")
    .filter((line) => line.includes(text));

const keyOf = (seed: number): string => `key-${seed}`;
const put = (client: ObjectClient, seed: number): Promise<unknown> =>
  client.putObject({ bucket: "box", key: keyOf(seed), body: testBytes(SIZE, seed) });

async function expectReadable(client: ObjectClient, seeds: readonly number[]): Promise<void> {
  await Promise.all(
    seeds.map(async (seed) => {
      const got = await client.getObject({ bucket: "box", key: keyOf(seed) });
      expect(await got.bytes(), keyOf(seed)).toEqual(testBytes(SIZE, seed));
    }),
  );
}

const seeds = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, at) => from + at);

/** Refused, or as it should be: what is not read was refused with an error that allows another try. */
async function expectRefusedOrRight(work: Promise<unknown>): Promise<void> {
  await work.catch((thrown: unknown) => {
    const error = AshlarError.from(thrown);
    expect(["OVERLOADED", "NODE_UNAVAILABLE", "QUORUM_NOT_REACHED"], error.message).toContain(error.code);
    expect(error.retryable).toBe(true);
  });
}

describe.skipIf(process.platform !== "linux")("a server with few descriptors", { timeout: LIMIT_MS }, () => {
  test("refuses connections before it cannot open files; those that wait are served when connections are closed", async () => {
    const server = await start();
    await expect.poll(() => linesOf(server, "there are few file descriptors").length, PATIENCE).toBe(1);
    const patient = open(server);
    await patient.createBucket({ bucket: "box" });
    for (const seed of seeds(0, 5)) await put(patient, seed);
    expect(await readiness(server)).toEqual([200, undefined]);
    const close = await hold(server, 2 * CONNECTIONS);
    await expectConnectionsRefused(server);
    const impatient = open(server, 0);
    for (const seed of seeds(0, 2)) {
      await expectRefusedOrRight(expectReadable(impatient, [seed]));
      await expectRefusedOrRight(put(impatient, 50 + seed));
    }
    // On the connections that it has.
    await expectReadable(patient, [0]);
    const waiting = [expectReadable(patient, seeds(0, 5)), ...seeds(10, 20).map((seed) => put(patient, seed))];
    close();
    await Promise.all(waiting);
    await expectReadable(patient, [...seeds(0, 5), ...seeds(10, 20)]);
    await expect.poll(() => readiness(server), PATIENCE).toEqual([200, undefined]);
    // However many were refused.
    expect(linesOf(server, "connections are refused")).toHaveLength(1);
    await expect.poll(() => linesOf(server, "there are file descriptors again").length, PATIENCE).toBe(1);
  });

  test("that has opened as many files as it may says so, and serves on when they are closed", async () => {
    const server = await start();
    const client = open(server);
    const impatient = open(server, 0);
    await client.createBucket({ bucket: "box" });
    await client.putObject({ bucket: "box", key: "large", body: testBytes(2 * MIB), chunker: fixed(MIB) });
    for (const seed of seeds(0, 5)) await put(client, seed);
    // Like a monitor, on a connection that stays open: a new one could not be accepted later.
    expect(await readiness(server)).toEqual([200, undefined]);
    // Each answer that is not taken keeps a chunk open, and this client takes a KiB of each.
    const session = connectHttp2(server.url, { settings: { initialWindowSize: KIB } });
    session.on("error", () => {});
    stack.defer(() => session.destroy());
    const authorization = `Bearer ${String(server.ready.apiKey)}`;
    const ask = async (): Promise<ClientHttp2Stream> => {
      const stream = session.request({ ":path": "/objects/box/large", authorization });
      stream.on("error", () => {}).pause();
      await new Promise<void>(
        (resolve) => void stream.once("response", () => resolve()).once("close", () => resolve()),
      );
      return stream;
    };
    await ask(); // the server lets a caller whose key it knows open more
    await Promise.all(Array.from({ length: DESCRIPTORS - 10 }, ask));
    await expect.poll(() => readiness(server), PATIENCE).toEqual([503, "used up"]);
    for (const seed of seeds(0, 2)) {
      await expectRefusedOrRight(expectReadable(impatient, [seed]));
      await expectRefusedOrRight(put(impatient, 50 + seed));
    }
    const waiting = [expectReadable(client, seeds(0, 5)), ...seeds(10, 5).map((seed) => put(client, seed))];
    session.destroy();
    await Promise.all(waiting);
    await expect.poll(() => readiness(server), PATIENCE).toEqual([200, undefined]);
    await expectReadable(client, [...seeds(0, 5), ...seeds(10, 5)]);
    expect(linesOf(server, "no file descriptor is left")).toHaveLength(1);
  });
});
