import { DURABILITIES } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningPostgres } from "../../internal/local-postgres/start-local-postgres.ts";
import { createTestSchema, startTestPostgres } from "../../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "./index.ts";

const BUCKET = "case-bucket";
const ROUNDS = 3;
const WRITES = 100;
const SERVER_MS = 240_000;

let postgres: RunningPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
}, SERVER_MS);
afterAll(() => postgres?.dispose(), SERVER_MS);

test.each(DURABILITIES)(
  "what was acknowledged with %s survives a kill of the database",
  { timeout: SERVER_MS },
  async (durability) => {
    const schema = await createTestSchema(postgres.url);
    const store = await openPostgresMetadataStore({ pool: () => schema.createPool() });
    await store.createBucket(BUCKET);
    const content = { inline: new TextEncoder().encode("text") };
    const acknowledged: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (let index = 0; index < WRITES; index++) {
        const key = `${round}-${index}`;
        await store.commitObject({ bucket: BUCKET, key, sizeBytes: 4, etag: "x", durability, attributes: {}, content });
        acknowledged.push(key);
      }
      await postgres.kill();
      await postgres.start();
      const { objects } = await store.listObjects({ bucket: BUCKET, limit: 1000 });
      const found = new Set(objects.map(({ key }) => key));
      expect(acknowledged.filter((key) => !found.has(key))).toEqual([]);
    }
    await store.close();
    await schema.drop();
  },
);
