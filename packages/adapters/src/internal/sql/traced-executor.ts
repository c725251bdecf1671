import type { SpanAttributes, Tracer, WriteOptions } from "@ashlar/sdk/ports";
import { inSpan } from "@ashlar/sdk/tracing";
import type { SqlOperationInput, SqlOperationName, SqlOperationOutput } from "./operations.ts";
import type { SqlExecutor } from "./sql-metadata-store.ts";

/** How {@link tracedExecutor} describes its spans. */
export interface TracedExecutorOptions {
  readonly tracer: Tracer | undefined;
  /** As OpenTelemetry names the database: `sqlite`, `postgresql`. */
  readonly system: string;
  /** `client` where each operation is one call to the database; `internal` where its statements have spans of their own. */
  readonly kind: "client" | "internal";
}

/**
 * An executor whose operations are spans called `sql.<operation>`. A span lasts from the call to the answer, so it includes further attempts and
 * waiting for a connection or for the group commit.
 */
export function tracedExecutor(executor: SqlExecutor, { tracer, system, kind }: TracedExecutorOptions): SqlExecutor {
  if (tracer === undefined) return executor;
  return {
    async execute<Name extends SqlOperationName>(
      name: Name,
      input: SqlOperationInput<Name>,
      options?: WriteOptions,
    ): Promise<SqlOperationOutput<Name>> {
      const attributes: SpanAttributes = { "db.system.name": system, "db.operation.name": name };
      return await inSpan(tracer, { name: `sql.${name}`, kind, attributes }, () =>
        executor.execute(name, input, options),
      );
    },
    close: () => executor.close(),
  };
}
