import type { OpenedSeat, Seat } from "../client/seat.ts";
import { guardedTracer } from "../ports/guarded-tracer.ts";
import type { ObjectEngine, SpanAttributes, Tracer } from "../ports/index.ts";
import { checkOptions } from "../ports/options.ts";
import { inSpan, streamInSpan } from "./in-span.ts";
import { tracedPort } from "./traced-port.ts";
import { tracedTransport } from "./traced-transport.ts";

/** Options of {@link traced}. */
export interface TracedOptions {
  /** Whether spans contain object keys, as `ashlar.key`. Default false: keys may be private, and other people read traces. */
  readonly keys?: boolean | undefined;
}

/**
 * A seat with spans for its calls, for each request below them and, in the embedded seat, for files and SQL.
 *
 * Errors of the tracer change no call; the first one is written to the console.
 *
 * The span of a read ends when its last byte is read or the reader stops. If an object is opened and never read, its span does not end.
 *
 * @example
 * const client = createClient(traced(gateway({ url, apiKey }), openTelemetryTracer()));
 */
export function traced(seat: Seat, given: Tracer, options: TracedOptions = {}): Seat {
  checkOptions({ seat, ...options }, { seat: ".open", keys: "boolean" });
  const tracer = guardedTracer(given);
  return {
    name: seat.name,
    url: seat.url,
    async open() {
      const opened = await seat.open({ tracer, wrapTransport: (transport) => tracedTransport(transport, tracer) });
      return { ...opened, engine: tracedEngine(opened, { tracer, seat: seat.name, keys: options.keys === true }) };
    },
  };
}

interface EngineTracing {
  readonly tracer: Tracer;
  readonly seat: string;
  readonly keys: boolean;
}

function tracedEngine({ engine }: OpenedSeat, { tracer, seat, keys }: EngineTracing): ObjectEngine {
  const attributes = { "ashlar.seat": seat };
  const before = (_method: string, [first]: readonly unknown[]): SpanAttributes => describeRequest(first, keys);
  const calls = tracedPort(engine, { tracer, prefix: "ashlar", attributes, before, after: describeResult });
  return new Proxy(calls, {
    get(target, name) {
      if (name !== "openObject") return Reflect.get(target, name, target) as unknown;
      const openObject: ObjectEngine["openObject"] = (request, transfer) =>
        inSpan(tracer, { name: "ashlar.getObject", attributes, goesOn: true }, async (span) => {
          if (span.traceId !== undefined) span.set(describeRequest(request, keys));
          const opened = await engine.openObject(request, transfer);
          span.set({ "ashlar.size_bytes": opened.length });
          return { ...opened, read: () => streamInSpan(tracer, span, opened.read()) };
        });
      return openObject;
    },
  });
}

function describeRequest(request: unknown, keys: boolean): SpanAttributes {
  if (typeof request === "string") return { "ashlar.bucket": request };
  const { bucket, key, sizeBytes, partNumber } = (request ?? {}) as Readonly<Record<string, unknown>>;
  return {
    "ashlar.bucket": textOf(bucket),
    "ashlar.key": keys ? textOf(key) : undefined,
    "ashlar.size_bytes": numberOf(sizeBytes),
    "ashlar.part_number": numberOf(partNumber),
  };
}

function describeResult(_method: string, result: unknown): SpanAttributes {
  if (typeof result !== "object" || result === null) return {};
  const { sizeBytes, chunkCount, replicas, durability, deduplicatedBytes } = result as Readonly<
    Record<string, unknown>
  >;
  return {
    "ashlar.size_bytes": numberOf(sizeBytes),
    "ashlar.chunk.count": numberOf(chunkCount),
    "ashlar.replicas": numberOf(replicas),
    "ashlar.durability": textOf(durability),
    "ashlar.deduplicated_bytes": numberOf(deduplicatedBytes),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
