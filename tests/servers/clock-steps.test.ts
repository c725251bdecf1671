/** Clocks that jump, and keys that change: whoever holds a grant renews it when it is refused, and says so if that does not help. */
import { randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, fixed, gateway, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { KIB } from "@ashlar/sdk/limits";
import { type Logger, silentLogger, systemRandom } from "@ashlar/sdk/ports";
import {
  clusterAuthorization,
  createGrantKeeper,
  createMetrics,
  createStorageNode,
  type Signer,
  webCryptoSigner,
} from "@ashlar/server";
import { describe, expect, onTestFinished, test } from "vitest";
import { createSteppedClock, type SteppedClock } from "../support/stepped-clock.ts";
import { CLUSTER_KEY, startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const CHUNK = 64 * KIB;
const BODY = randomBytes(4 * CHUNK);
const REF = { bucket: "photos", key: "key" };
const SEATS = { gateway, direct };
type SeatName = keyof typeof SEATS;
const SEAT_NAMES: readonly SeatName[] = ["gateway", "direct"];
const TRANSPORTS: readonly TransportName[] = [
  "fetch",
  "undici",
  "connect",
  "grpc-web",
  "grpc",
  "grpc-js",
  "in-process",
];
const EVERYWHERE = SEAT_NAMES.flatMap((seat) => TRANSPORTS.map((transport) => [seat, transport] as const));

interface World {
  readonly cluster: TestCluster;
  readonly client: ObjectClient;
  readonly clocks: {
    readonly client: SteppedClock;
    readonly gateway: SteppedClock;
    readonly nodes: readonly SteppedClock[];
  };
  /** Lines of the gateway's log that name a clock. */
  readonly clockLines: readonly string[];
  /** Steps the wall clocks of gateway and nodes. */
  stepServers(byMs: number): void;
}

interface WorldOptions {
  readonly transport?: TransportName;
  readonly signer?: Signer;
  /** Default: the admin's key. @param admin a client with that key. */
  readonly apiKey?: (admin: ObjectClient, clocks: World["clocks"]) => Promise<string>;
}

async function world(seat: SeatName, { transport = "undici", signer, apiKey }: WorldOptions = {}): Promise<World> {
  const clocks = {
    client: createSteppedClock(),
    gateway: createSteppedClock(),
    nodes: [1, 2, 3].map(() => createSteppedClock()),
  };
  const clockLines: string[] = [];
  const error = (_: object, message: string): void => void (message.includes("clock") && clockLines.push(message));
  const cluster = await startTestCluster({
    chunks: "memory",
    signer,
    clocks: { gateway: clocks.gateway, node: (nodeId) => clocks.nodes[Number(nodeId.slice(5)) - 1]! },
    gateway: { logger: { ...silentLogger, error } as Logger, metrics: createMetrics() },
  });
  const admin = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey }));
  const client = createClient(
    SEATS[seat]({
      ...{ url: cluster.url, transport: openTransport(transport, cluster) },
      apiKey: apiKey === undefined ? cluster.apiKey : () => apiKey(admin, clocks),
      ...{ hasher: nodeCryptoHasher, clock: clocks.client, chunker: fixed(CHUNK), retry: { forMs: 500 } },
    }),
  );
  onTestFinished(async () => {
    await Promise.all([client.close(), admin.close()]);
    await cluster.close();
  });
  const stepServers = (byMs: number): void => {
    for (const clock of [clocks.gateway, ...clocks.nodes]) clock.stepWall(byMs);
  };
  await admin.createBucket({ bucket: REF.bucket });
  return { cluster, client, clocks, clockLines, stepServers };
}

/** The body, with something that happens when its first two chunks are stored. */
async function* bodyWith(
  { cluster }: World,
  meanwhile: () => unknown,
  body: Buffer = BODY,
): AsyncGenerator<Uint8Array> {
  const storedCount = async (): Promise<number> =>
    Math.min(...(await Promise.all(cluster.nodes.map(async ({ store }) => (await store.stats()).chunkCount))));
  const before = await storedCount();
  yield body.subarray(0, 2 * CHUNK + 1);
  await expect.poll(storedCount).toBeGreaterThanOrEqual(before + 2);
  await meanwhile();
  yield body.subarray(2 * CHUNK + 1);
}

const read = async (client: ObjectClient, ref: { bucket: string; key: string } = REF): Promise<boolean> =>
  BODY.equals(await (await client.getObject(ref)).bytes());

/** The code and the message of a call that fails; "ok" if it does not. */
const outcomeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    (error: unknown) => `${AshlarError.from(error).code}: ${AshlarError.from(error).message}`,
  );

describe.each(EVERYWHERE)("%s seat, %s:", (seat, transport) => {
  test("a client that did not notice that it slept for an hour, in an upload, between calls and in a read", async () => {
    const here = await world(seat, { transport });
    const { client, stepServers } = here;
    await client.putObject({ ...REF, body: bodyWith(here, () => stepServers(HOUR_MS)) });
    expect(await read(client)).toBe(true);
    stepServers(HOUR_MS);
    await client.putObject({ ...REF, body: BODY });
    for (const sleptMs of [2 * HOUR_MS, 25 * HOUR_MS]) {
      const slices: Uint8Array[] = [];
      for await (const slice of (await client.getObject({ ...REF, concurrency: 1 })).stream()) {
        if (slices.length === 0) stepServers(sleptMs);
        slices.push(slice);
      }
      expect(BODY.equals(Buffer.concat(slices))).toBe(true);
    }
  });

  test("a client that did not notice that it slept for a day in an upload learns that it took too long", async () => {
    const here = await world(seat, { transport });
    const put = here.client.putObject({ ...REF, body: bodyWith(here, () => here.stepServers(25 * HOUR_MS)) });
    expect(await outcomeOf(put)).toMatch(/^CLAIM_EXPIRED: /);
    await here.client.putObject({ ...REF, body: BODY });
    expect(await read(here.client)).toBe(true);
  });

  test("a gateway that was frozen for longer than an access token lives, also when the next token is late again", async () => {
    let [asked, lateTokens] = [0, 0];
    const here = await world(seat, {
      transport,
      async apiKey(admin, clocks) {
        asked++;
        const { token } = await admin.createAccessToken({ bucket: REF.bucket, expiresInMs: 30 * SECOND_MS });
        if (lateTokens-- > 0)
          for (const clock of [clocks.client, clocks.gateway, ...clocks.nodes]) clock.pass(MINUTE_MS);
        return token;
      },
    });
    const { client, clocks } = here;
    const freeze = (): void => {
      for (const clock of [clocks.client, clocks.gateway, ...clocks.nodes]) clock.pass(5 * MINUTE_MS);
    };
    await client.putObject({ ...REF, body: bodyWith(here, freeze) });
    expect(asked).toBe(2);
    const late = async (): Promise<void> => {
      freeze();
      lateTokens = 1;
    };
    await client.putObject({ ...REF, body: bodyWith(here, late, randomBytes(4 * CHUNK)) });
    expect(lateTokens).toBeLessThan(1);
    const { uploadId } = await client.createUpload(REF);
    const part = await client.writePart({
      uploadId,
      partNumber: 1,
      body: bodyWith(here, freeze, randomBytes(4 * CHUNK)),
    });
    freeze();
    await client.completeUpload({ uploadId, parts: [part] });
  });

  test("a cluster key that is changed at once: what begins then works, an upload under way is to begin again", async () => {
    const { signer, changeKey } = changingSigner();
    const here = await world(seat, { transport, signer });
    const { client } = here;
    await client.putObject({ ...REF, body: BODY });
    changeKey();
    await client.putObject({ ...REF, body: BODY });
    const slices: Uint8Array[] = [];
    for await (const slice of (await client.getObject({ ...REF, concurrency: 1 })).stream()) {
      if (slices.length === 0) changeKey();
      slices.push(slice);
    }
    expect(BODY.equals(Buffer.concat(slices))).toBe(true);
    await client.putObject({ ...REF, body: BODY });
    const put = client.putObject({ ...REF, body: bodyWith(here, changeKey, randomBytes(4 * CHUNK)) });
    expect(await outcomeOf(put)).toMatch(/^CLAIM_EXPIRED: .*cluster key was changed/);
    expect(await read(client)).toBe(true);
    await client.putObject({ ...REF, body: BODY });
  });
});

/** The signer of servers that get another cluster key at once, without the second key that a change should have. */
function changingSigner(): { readonly signer: Signer; readonly changeKey: () => void } {
  let count = 0;
  const next = (): Signer => webCryptoSigner(`cluster key number ${++count}, of 32 letters or more`);
  let current = next();
  const signer: Signer = {
    sign: (...args) => current.sign(...args),
    verify: (...args) => current.verify(...args),
    seal: (...args) => current.seal(...args),
    unseal: (...args) => current.unseal(...args),
  };
  const changeKey = (): void => {
    current = next();
  };
  return { signer, changeKey };
}

/** What puts and gets see while the clock of a gateway is this far ahead of all nodes' (negative: behind), in the two seats. */
const EXPECTED: ReadonlyArray<readonly [aheadHours: number, Record<SeatName, readonly [put: RegExp, get: RegExp]>]> = [
  [1, { gateway: [/^ok/, /^ok/], direct: [/^ok/, /^ok/] }],
  [
    25,
    {
      gateway: [/^ok/, /^ok/],
      direct: [
        /^CLAIM_EXPIRED: .*(the clock of node-\d is at least 1d.* behind this gateway's|this gateway's clock moved on by 1d 1h at once)/,
        /^ok/,
      ],
    },
  ],
  [
    -2,
    {
      gateway: [
        /^QUORUM_NOT_REACHED: .*the clock of node-\d is 2h ahead of this gateway's/,
        /^NODE_UNAVAILABLE: .*the clock of node-\d is 2h ahead of this gateway's/,
      ],
      direct: [
        /^QUORUM_NOT_REACHED: .*the clock of node-\d is 2 h ahead of the gateway's/,
        /^NODE_UNAVAILABLE: .*the clock of node-\d is 2 h ahead of the gateway's/,
      ],
    },
  ],
  [
    -25,
    {
      gateway: [
        /^QUORUM_NOT_REACHED: .*the clock of node-\d is 1d 1h ahead of this gateway's/,
        /^NODE_UNAVAILABLE: .*the clock of node-\d is 1d 1h ahead of this gateway's/,
      ],
      direct: [
        /^QUORUM_NOT_REACHED: .*the clock of node-\d is 25 h ahead of the gateway's/,
        /^NODE_UNAVAILABLE: .*the clock of node-\d is 25 h ahead of the gateway's/,
      ],
    },
  ],
];

describe.each(SEAT_NAMES)("%s seat: the clock", (seat) => {
  describe.each(["of the gateway", "of all nodes"])("%s steps so that the gateway is ahead by", (whose) => {
    test.each(EXPECTED)(
      "%i hours: what was acknowledged stays, and everything works as soon as it is set right",
      async (hours, seen) => {
        const { client, clocks, clockLines } = await world(seat);
        const everyClock = [clocks.client, clocks.gateway, ...clocks.nodes];
        await client.putObject({ ...REF, body: BODY });
        const stepped = whose === "of the gateway" ? [clocks.gateway] : clocks.nodes;
        const stepMs = (whose === "of the gateway" ? hours : -hours) * HOUR_MS;
        for (const clock of stepped) clock.stepWall(stepMs);
        // Grants between servers are made anew.
        for (const clock of everyClock) clock.pass(10 * MINUTE_MS);
        const [put, get] = seen[seat];
        const other = { bucket: REF.bucket, key: "other" };
        const putOutcome = await outcomeOf(client.putObject({ ...other, body: BODY }));
        expect(putOutcome).toMatch(put);
        expect(await outcomeOf(client.putObject({ ...other, key: "third", body: BODY }))).toMatch(put);
        expect(await outcomeOf(read(client))).toMatch(get);
        const { uploadId } = await client.createUpload(other);
        const part = client.writePart({ uploadId, partNumber: 1, body: BODY });
        expect(await outcomeOf(part)).toMatch(put);
        if (String(put) !== String(/^ok/) && seat === "gateway") {
          const named = clockLines.flatMap((line) => line.match(/node-\d/)?.[0] ?? []).sort();
          expect(named).toEqual(["node-1", "node-2", "node-3"]);
        }
        for (const clock of stepped) clock.stepWall(-stepMs);
        // Longer than a client remembers that a node refused it.
        clocks.client.pass(10 * SECOND_MS);
        expect(await read(client)).toBe(true);
        if (putOutcome === "ok") expect(await read(client, other)).toBe(true);
        await client.putObject({ ...other, body: BODY });
        const parts = [await client.writePart({ uploadId, partNumber: 1, body: BODY })];
        await client.completeUpload({ uploadId, parts });
        expect(await read(client, other)).toBe(true);
      },
    );
  });

  test.each([1, -1, 25, -25])(
    "of one node steps by %i hours: everything works, and the operator is told",
    async (hours) => {
      const { cluster, client, clocks, clockLines } = await world(seat);
      await client.putObject({ ...REF, body: BODY });
      clocks.nodes[0]?.stepWall(hours * HOUR_MS);
      for (const clock of [clocks.client, clocks.gateway, ...clocks.nodes]) clock.pass(10 * MINUTE_MS);
      expect(await read(client)).toBe(true);
      await client.putObject({ ...REF, body: BODY });
      await client.putObject({ ...REF, body: BODY });
      expect(await read(client)).toBe(true);
      const checksOf = async (): Promise<Record<string, string>> =>
        ((await (await fetch(`${cluster.url}/readyz`)).json()) as { checks: Record<string, string> }).checks;
      const isTold = hours > 0 || seat === "direct";
      const state = isTold ? "its clock differs" : undefined;
      expect((await checksOf())["node node-1"]).toBe(state);
      const metrics = await (await fetch(`${cluster.url}/metrics`)).text();
      const ahead = Number(metrics.match(/^ashlar_node_clock_ahead_seconds\{node="node-1"\} (\S+)$/m)?.[1] ?? 0);
      expect(Math.round(ahead / 3600)).toBe(isTold ? hours : 0);
      // A node that is behind is seen by the age of its receipts, so the time of the upload is missing in the difference.
      const difference = Math.abs(hours) === 1 ? "(1h|[45][0-9]m.*)" : "1d.*";
      const text = new RegExp(
        `node-1 is (at least )?${difference} ${hours > 0 ? "ahead of" : "behind"} this gateway's`,
      );
      expect(clockLines.filter((line) => text.test(line))).toHaveLength(isTold ? 1 : 0);
      clocks.nodes[0]?.stepWall(-hours * HOUR_MS);
      for (const clock of [clocks.client, clocks.gateway]) clock.pass(10 * MINUTE_MS);
      await client.putObject({ ...REF, body: BODY });
      expect((await checksOf())["node node-1"]).toBeUndefined();
    },
  );
});

test("a node that registers through a gateway: its grant is renewed when it is refused, and a clock that differs is named", async () => {
  const clock = createSteppedClock();
  const gatewayClock = createSteppedClock();
  const cluster = await startTestCluster({ nodeCount: 0, clocks: { gateway: gatewayClock } });
  const grants = createGrantKeeper({ clusterKey: CLUSTER_KEY, clock, random: systemRandom });
  const transport = undiciTransport();
  const authorization = clusterAuthorization(grants, clock);
  const registry = transport.openGateway({ url: cluster.url, authorization }).cluster;
  const store = createMemoryChunkStore();
  const metrics = createMetrics();
  const options = { nodeId: "far", store, registry, grants, clock, metrics, heartbeatIntervalMs: 20 };
  // The node makes its first grant while its clock is behind.
  clock.stepWall(-2 * HOUR_MS);
  const node = createStorageNode(options);
  const { url } = await node.listen();
  onTestFinished(async () => {
    await node.close({ graceMs: 0 });
    await transport.close();
    await cluster.close();
  });
  const registryState = async (): Promise<string | undefined> =>
    ((await (await fetch(`${url}/readyz`)).json()) as { checks: Record<string, string> }).checks.registry;
  const aheadHours = async (): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Math.round(Number(text.match(/^ashlar_node_registry_clock_ahead_seconds (\S+)$/m)?.[1]) / 3600);
  };
  await expect.poll(registryState).toBe("its clock differs");
  await expect.poll(aheadHours).toBe(2);
  clock.stepWall(2 * HOUR_MS);
  await expect.poll(registryState).toBe("registered");
  await expect.poll(aheadHours).toBe(0);
  // Both machines sleep for an hour, and the node does not notice.
  gatewayClock.stepWall(HOUR_MS);
  await expect.poll(registryState).toBe("its clock differs");
  clock.stepWall(HOUR_MS);
  await expect.poll(registryState).toBe("registered");
});
