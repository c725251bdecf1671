import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, gateway, KIB, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const BUCKET = "lost-answers";
const KEY = "k";
const ref = { bucket: BUCKET, key: KEY };
const TRANSPORTS: readonly TransportName[] = ["undici", "fetch", "connect", "grpc"];
const SEATS = { gateway, direct };

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startTestCluster({ nodeCount: 1, metadata: "postgres", chunks: "memory", proxied: true });
});

afterAll(() => cluster.close());

async function etagNow(): Promise<string | undefined> {
  return (await cluster.metadata.getObject({ ...ref, chunkLimit: 0 }))?.info.etag;
}

/** A put by another client, whose answers are not lost. */
async function putByOther(text: string): Promise<string> {
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(text);
  };
  return (await cluster.gateway.engine.putObject({ ...ref, attributes: {} }, body())).etag;
}

/**
 * Runs a write whose answers do not arrive. Once it happened (seen through the database), another client acts. Then the connections break, and the
 * write is tried again.
 */
async function loseAnswerOf<T>(
  write: () => Promise<T>,
  happened: () => Promise<boolean>,
  meanwhile: () => Promise<unknown>,
): Promise<T> {
  cluster.proxy?.swallowAnswers(true);
  const writing = write();
  writing.catch(() => {});
  while (!(await happened())) await new Promise((resolve) => setTimeout(resolve, 5));
  await meanwhile();
  cluster.proxy?.swallowAnswers(false);
  cluster.proxy?.cut();
  return await writing;
}

for (const [seatName, seat] of Object.entries(SEATS)) {
  describe.each(TRANSPORTS)(`an answer that is lost, ${seatName} over %s`, (transportName) => {
    let client: ObjectClient;

    beforeEach(async () => {
      const transport = openTransport(transportName, cluster);
      client = createClient(seat({ url: cluster.url, apiKey: cluster.apiKey, transport, hasher: nodeCryptoHasher }));
      await client.createBucket({ bucket: BUCKET, ifMissing: true });
      // The client gets its ticket and its view of the cluster before answers get lost.
      await client.putObject({ ...ref, body: testBytes(40 * KIB, 1) });
      await client.deleteObject(ref);
    });

    afterEach(async () => {
      cluster.proxy?.swallowAnswers(false);
      await client.close();
    });

    // Through a gateway, the answers for chunks would be lost as well. So would the early answer about the condition of a large body.
    const sizes = [["small", 10, [{}, { ifNoneMatch: "*" }]] as const, ["in chunks", 40 * KIB, [{}]] as const];
    const shown = seatName === "direct" ? sizes : sizes.slice(0, 1);
    test.each(shown)(
      "of a put (%s): what another client wrote since stays, and so does its delete",
      async (_, sizeBytes, conditions) => {
        for (const condition of conditions) {
          let theirs: string | undefined;
          const body = testBytes(sizeBytes, 2);
          const put = await loseAnswerOf(
            () => client.putObject({ ...ref, ...condition, body }),
            async () => (await etagNow()) !== undefined,
            async () => {
              theirs = await putByOther("theirs");
            },
          );
          expect(put.sizeBytes).toBe(sizeBytes);
          expect(await etagNow()).toBe(theirs);
          await client.deleteObject(ref);
          await loseAnswerOf(
            () => client.putObject({ ...ref, ...condition, body }),
            async () => (await etagNow()) !== undefined,
            () => cluster.gateway.engine.deleteObject(ref),
          );
          expect(await etagNow()).toBeUndefined();
        }
      },
    );

    test("of a delete: what another client wrote since stays", async () => {
      const { etag } = await client.putObject({ ...ref, body: "mine" });
      for (const condition of [{}, { ifMatch: etag }]) {
        if ((await etagNow()) !== etag) await client.putObject({ ...ref, body: "mine" });
        let theirs: string | undefined;
        const deleted = await loseAnswerOf(
          () => client.deleteObject({ ...ref, ...condition }),
          async () => (await etagNow()) === undefined,
          async () => {
            theirs = await putByOther("theirs");
          },
        );
        expect(deleted).toBe(true);
        expect(await etagNow()).toBe(theirs);
      }
    });

    test("of a copy and of a completed upload: both give their first result, and change nothing again", async () => {
      await client.putObject({ bucket: BUCKET, key: "source", body: "source" });
      const { uploadId } = await client.createUpload(ref);
      const part = await client.writePart({ uploadId, partNumber: 1, body: "part" });
      const writes = [
        () => client.copyObject({ ...ref, sourceBucket: BUCKET, sourceKey: "source" }),
        () => client.completeUpload({ uploadId, parts: [part], ifNoneMatch: "*" }),
        () => client.moveObject({ ...ref, sourceBucket: BUCKET, sourceKey: "source" }),
      ];
      for (const write of writes) {
        let made: string | undefined;
        const answer = await loseAnswerOf(
          write,
          async () => (await etagNow()) !== undefined,
          async () => {
            made = await etagNow();
            await cluster.gateway.engine.deleteObject(ref);
          },
        );
        expect(answer.etag).toBe(made);
        expect(await etagNow()).toBeUndefined();
      }
    });

    test("of a write that is not tried again: the error says that it may have happened", async () => {
      const transport = openTransport(transportName, cluster);
      const options = { url: cluster.url, apiKey: cluster.apiKey, transport, hasher: nodeCryptoHasher };
      const hasty = createClient(seat({ ...options, retry: { forMs: 0 } }));
      await hasty.headBucket({ bucket: BUCKET });
      const stop = new AbortController();
      for (const end of [() => {}, () => stop.abort()]) {
        const failed = await loseAnswerOf(
          () => hasty.putObject({ ...ref, body: "mine", signal: stop.signal }),
          async () => (await etagNow()) !== undefined,
          async () => end(),
        ).catch((error: unknown) => error);
        expect(AshlarError.is(failed) && failed.details.outcome).toBe("unknown");
        await client.deleteObject(ref);
      }
      // What the server refuses has not happened.
      const refused = await hasty.putObject({ ...ref, ifMatch: "*", body: "mine" }).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: "PRECONDITION_FAILED",
        details: expect.not.objectContaining({ outcome: "unknown" }),
      });
      await hasty.close();
    });
  });
}
