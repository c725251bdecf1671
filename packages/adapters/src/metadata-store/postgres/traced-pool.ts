import type { Tracer } from "@ashlar/sdk/ports";
import { inSpan } from "@ashlar/sdk/tracing";
import type { PgClient, PgPool, PgQueryConfig } from "./postgres-client.ts";

/** The first word of a statement, also of one whose rows are checked. A transaction's script begins with BEGIN or ends with COMMIT. */
const FIRST_WORD = /^\s*(?:WITH returned AS \()?([A-Za-z]+)/;
const COMMIT = /\bCOMMIT\s*$/;

/**
 * A pool whose statements are `client` spans called after their first word, with the statement's text (`db.query.text`).
 *
 * Texts have placeholders instead of values, except the locks and results that go with BEGIN and COMMIT: of those the span has only the word.
 */
export function tracedPool(pool: PgPool, tracer: Tracer | undefined): PgPool {
  if (tracer === undefined) return pool;
  return {
    connect: async () => tracedClient(await pool.connect(), tracer),
    end: () => pool.end(),
    on: pool.on.bind(pool),
    removeListener: pool.removeListener.bind(pool),
  };
}

function tracedClient(client: PgClient, tracer: Tracer): PgClient {
  return {
    pipeline: client.pipeline === true,
    query(config) {
      const name = operationOf(config);
      const attributes = {
        "db.system.name": "postgresql",
        "db.operation.name": name,
        "db.query.text": config.values === undefined ? undefined : config.text,
      };
      return inSpan(tracer, { name, kind: "client", attributes }, () => client.query(config));
    },
    release: (error) => client.release(error),
    on: (event, listener) => client.on(event, listener),
    removeListener: (event, listener) => client.removeListener(event, listener),
  };
}

function operationOf({ text }: PgQueryConfig): string {
  if (COMMIT.test(text)) return "COMMIT";
  return FIRST_WORD.exec(text)?.[1]?.toUpperCase() ?? "statement";
}
