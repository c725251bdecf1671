import type { Clock, LogFields, Logger } from "@ashlar/sdk/ports";
import { boundedFields } from "../observability/bounded-fields.ts";
import { visibleJson } from "../observability/control-characters.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import type { RequestContext } from "./request-context.ts";
import { createTokenBucket } from "./token-bucket.ts";

/** Where the lines go that requests cause, and where those of strangers are bounded: a disk full of them stops a server too. */
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

/** What stands in a line beside its fields: level, time, message. */
const AROUND_BYTES = 120;

/**
 * Lines about requests that showed no key have one budget, of lines and of bytes, full at the start. What is beyond it is written at level `debug` only,
 * and the next line tells in `linesLeftOut` how many there were.
 */
export function createRequestLog(logger: Logger, clock: Pick<Clock, "monotonicMs">): RequestLog {
  const nowMs = (): number => clock.monotonicMs();
  const lines = createTokenBucket({
    burst: HTTP_LIMITS.STRANGER_LINES_BURST.value,
    perSecond: HTTP_LIMITS.STRANGER_LINES_PER_SECOND.value,
    nowMs,
  });
  const bytes = createTokenBucket({
    burst: HTTP_LIMITS.STRANGER_LINE_BYTES_BURST.value,
    perSecond: HTTP_LIMITS.STRANGER_LINE_BYTES_PER_SECOND.value,
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

/** Bytes of a line as the house's logger writes it. */
function sizeOf(fields: LogFields): number {
  const { error, ...rest } = fields;
  const told = error instanceof Error ? boundedFields({ message: error.message, stack: error.stack }) : {};
  return AROUND_BYTES + Buffer.byteLength(visibleJson(JSON.stringify({ ...rest, ...told })));
}
