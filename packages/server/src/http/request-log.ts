import type { Clock, LogFields, Logger } from "@ashlar/sdk/ports";
import { boundedFields } from "../observability/bounded-fields.ts";
import { visibleJson } from "../observability/control-characters.ts";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import { createTokenBucket } from "./bounds/token-bucket.ts";
import type { RequestContext } from "./request-context.ts";

/** Writes the lines that requests cause, and bounds those of unauthenticated callers: a disk full of them would stop a server too. */
export interface RequestLog {
  /** Texts in the fields may be of any length. @param context of the request that the line is about. */
  write(level: "info" | "error", line: RequestLine): void;
}

/** One line about a request. */
export interface RequestLine {
  readonly context: Pick<RequestContext, "isTrusted">;
  readonly fields: LogFields;
  readonly message: string;
}

/** Bytes of a line around its fields: level, time, message. */
const AROUND_BYTES = 120;

/**
 * Lines about requests that showed no key share one budget of lines and of bytes, which is full at the start. Lines beyond it are written at level
 * `debug` only, and the next line says in `linesLeftOut` how many there were.
 */
export function createRequestLog(logger: Logger, clock: Pick<Clock, "monotonicMs">): RequestLog {
  const nowMs = (): number => clock.monotonicMs();
  const lines = createTokenBucket({
    burst: HTTP_LIMITS.UNAUTHENTICATED_LINES_BURST.value,
    perSecond: HTTP_LIMITS.UNAUTHENTICATED_LINES_PER_SECOND.value,
    nowMs,
  });
  const bytes = createTokenBucket({
    burst: HTTP_LIMITS.UNAUTHENTICATED_LINE_BYTES_BURST.value,
    perSecond: HTTP_LIMITS.UNAUTHENTICATED_LINE_BYTES_PER_SECOND.value,
    nowMs,
  });
  let leftOut = 0;
  const spend = (fields: LogFields): boolean => {
    if (!lines.take()) return false;
    if (bytes.take(sizeOf(fields))) return true;
    lines.giveBack();
    return false;
  };
  return {
    write(level, { context, fields, message }) {
      const bounded = boundedFields(fields);
      if (context.isTrusted === true) logger[level](bounded, message);
      else if (spend(bounded)) {
        logger[level](leftOut === 0 ? bounded : { ...bounded, linesLeftOut: leftOut }, message);
        leftOut = 0;
      } else {
        leftOut++;
        logger.debug(bounded, message);
      }
    },
  };
}

/** Bytes of a line as our own logger writes it. */
function sizeOf(fields: LogFields): number {
  const { error, ...rest } = fields;
  const told = error instanceof Error ? boundedFields({ message: error.message, stack: error.stack }) : {};
  return AROUND_BYTES + Buffer.byteLength(visibleJson(JSON.stringify({ ...rest, ...told })));
}
