import { AsyncLocalStorage } from "node:async_hooks";
import type { Span, Tracer } from "@ashlar/sdk/ports";
import { chunkStoreContract, METADATA_STORE_CASES, runMetadataStoreCase } from "@ashlar/sdk/testing";
import { afterAll, describe, expect, test, vi } from "vitest";
import { createFsSubject } from "../chunk-store/fs/testing/fs-subject.ts";
import { createPostgresSubject } from "../metadata-store/postgres/testing/postgres-subject.ts";
import { createSqliteSubject } from "../metadata-store/sqlite/testing/sqlite-subject.ts";

/** Counts spans, and keeps each active for everything that its work awaits. */
class CountingTracer implements Tracer {
  started = 0;
  ended = 0;
  endedTwice = 0;
  readonly #active = new AsyncLocalStorage<Span>();

  start(): Span {
    this.started++;
    let open = true;
    return {
      traceId: "1".repeat(32),
      spanId: this.started.toString(16).padStart(16, "0"),
      set: () => {},
      end: () => {
        if (open) this.ended++;
        else this.endedTwice++;
        open = false;
      },
    };
  }

  within<T>(span: Span, work: () => T): T {
    return this.#active.run(span, work);
  }

  headers(): Readonly<Record<string, string>> {
    return {};
  }
}

const tracer = new CountingTracer();

chunkStoreContract({ name: "the fs chunk store with spans", create: () => createFsSubject({ tracer }) });

/** Cases that spans could disturb: aborts, closing, and many calls at once. The text of statements is the same. */
const TOUCHED = /abort|close|reopen|writers|at once|manifest of many segments/i;

describe.each([
  ["SQLite", () => createSqliteSubject({ tracer })],
  ["PostgreSQL", () => createPostgresSubject({ tracer })],
] as const)("the %s metadata store with spans", (_name, create) => {
  for (const contractCase of METADATA_STORE_CASES.filter(({ name }) => TOUCHED.test(name))) {
    test(contractCase.name, async (context) => {
      if (!(await runMetadataStoreCase(contractCase, create))) context.skip();
    });
  }
});

// Aborted calls end their spans when the work below has noticed, so this comes last.
afterAll(async () => {
  await vi.waitFor(() => expect(tracer.started - tracer.ended).toBe(0), { timeout: 10_000 });
  expect(tracer.started).toBeGreaterThan(1000);
  expect(tracer.endedTwice).toBe(0);
});
