import type { AshlarError } from "@ashlar/sdk/errors";
import { ashlarErrorFrom, connectErrorFrom, ErrorInfoSchema } from "@ashlar/sdk/rpc";
import { ConnectError, type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { publicError, withRequestId } from "../problem.ts";
import { noteErrorCode, REQUEST_CONTEXT } from "../request-context.ts";
import type { RequestLog } from "../request-log.ts";
import { decodeFault } from "./decode-fault.ts";

/** How far a call got. */
interface CallProgress {
  /** The request was read, and the interceptors have it. */
  read: boolean;
}

const PROGRESS: ContextKey<CallProgress> = createContextKey<CallProgress>(
  { read: true },
  { description: "ashlar call progress" },
);

/** Notes that a call's request was read: what the library throws from now on is not about the request. */
export function noteRead(values: HandlerContext["values"]): void {
  values.get(PROGRESS).read = true;
}

/**
 * Gives our codes to errors that the RPC library throws outside of the interceptors: a unary request is read before them, and an answer is
 * encoded after them. By origin: before the request is read the client is at fault, afterwards we are.
 *
 * To be called at the gate, which comes first in all protocols. The handlers of the library call `abort` of the call's context with what was thrown,
 * before they write it to the wire; there is no other hook for all protocols (`gateway/blame.test.ts` fails if that changes).
 */
export function translateLibraryErrors(context: HandlerContext, log: RequestLog): void {
  const { values } = context;
  const progress: CallProgress = { read: false };
  values.set(PROGRESS, progress);
  const controlled = context as HandlerContext & { abort(reason?: unknown): void };
  const { abort } = controlled;
  controlled.abort = (reason) => {
    if (reason instanceof ConnectError) {
      const [info] = reason.findDetails(ErrorInfoSchema);
      if (info === undefined) rewrite(reason, progress.read ? answerFault(reason, context, log) : decodeFault(reason));
      if (info === undefined || values.get(REQUEST_CONTEXT).errorCode === undefined) {
        noteErrorCode(values, ashlarErrorFrom(reason).code);
      }
    }
    abort(reason);
  };
  function rewrite(error: ConnectError, known: AshlarError): void {
    const { requestId } = values.get(REQUEST_CONTEXT);
    const { code, message, rawMessage, details } = connectErrorFrom(withRequestId(known, requestId));
    Object.assign(error, { code, message, rawMessage, details });
  }
}

function answerFault(error: ConnectError, { values, method }: HandlerContext, log: RequestLog): AshlarError {
  const known = publicError(ashlarErrorFrom(error));
  const context = values.get(REQUEST_CONTEXT);
  const fields = { error, requestId: context.requestId, method: method.name };
  if (known.code === "INTERNAL") log.write("error", { context, fields, message: "an answer cannot be encoded" });
  return known;
}
