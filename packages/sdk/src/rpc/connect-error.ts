import { Code, ConnectError } from "@connectrpc/connect";
import { AshlarError, type ConnectCodeName, ERROR_CODES, type ErrorCode, isErrorCode } from "../errors/index.ts";
import { ErrorInfoSchema, ErrorReason } from "../gen/ashlar/v1/error_pb.js";
import { fromNetworkError, isNetworkError, tlsProblem } from "../internal/network-error.ts";
import { withRetryAfter } from "../internal/retry-after.ts";

const CODE_BY_NAME: Readonly<Record<ConnectCodeName, Code>> = {
  canceled: Code.Canceled,
  unknown: Code.Unknown,
  invalid_argument: Code.InvalidArgument,
  deadline_exceeded: Code.DeadlineExceeded,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  permission_denied: Code.PermissionDenied,
  resource_exhausted: Code.ResourceExhausted,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  out_of_range: Code.OutOfRange,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
  unavailable: Code.Unavailable,
  data_loss: Code.DataLoss,
  unauthenticated: Code.Unauthenticated,
};

/** The most likely code for a status without our detail, which comes from a proxy, a load balancer or the RPC library itself. */
const NEAREST: Readonly<Record<Code, ErrorCode>> = {
  [Code.Canceled]: "CANCELED",
  [Code.Unknown]: "INTERNAL",
  [Code.InvalidArgument]: "INVALID_ARGUMENT",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "OBJECT_NOT_FOUND",
  [Code.AlreadyExists]: "BUCKET_ALREADY_EXISTS",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "OVERLOADED",
  [Code.FailedPrecondition]: "PRECONDITION_FAILED",
  // The library reports a broken stream this way; our own errors with Aborted carry a detail.
  [Code.Aborted]: "NODE_UNAVAILABLE",
  [Code.OutOfRange]: "INVALID_RANGE",
  // Also any 404 that is not ours: the server is there and does not speak this protocol.
  [Code.Unimplemented]: "UNSUPPORTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "NODE_UNAVAILABLE",
  [Code.DataLoss]: "CHUNK_CORRUPT",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** The codes that RPC libraries give to a connection that could not be opened. */
const LIBRARY_FAILURES: ReadonlySet<Code> = new Set([Code.Internal, Code.Unknown, Code.Unavailable]);

/** The texts of connect-es and grpc-js for a message over a size limit. Both use ResourceExhausted, which would be retried again and again. */
const SIZE_LIMIT = /(read|write)MaxBytes|larger than (max|configured)|message size/i;

/** HTTP/2 resets by a peer that stops or restarts; connect-node reports them as Internal. */
const BROKEN_STREAM = /^http\/2 (stream|connection) closed|^missing (trailer|EndStream)|h2 ping|premature close/i;

/** The error as a handler throws it: the status of the table, and an ErrorInfo detail that names the code and carries the details. */
export function connectErrorFrom(error: AshlarError): ConnectError {
  const { code, details } = error;
  const info = { desc: ErrorInfoSchema, value: { reason: ErrorReason[code], details: { ...details } } };
  return new ConnectError(error.message, CODE_BY_NAME[ERROR_CODES[code].connect], undefined, [info], error);
}

/**
 * The Ashlar error for anything that an RPC client or handler threw.
 *
 * An ErrorInfo detail decides the code. Without one the cause does (a refused or reset connection is NODE_UNAVAILABLE), and then the status, by
 * the nearest code. The thrown value stays as `cause`. A caller that passed a signal must check the signal first (`abortError`): connect-es
 * reports a timeout signal as Canceled and does not say that it was a timeout.
 */
export function ashlarErrorFrom(error: unknown): AshlarError {
  if (AshlarError.is(error)) return error;
  if (!(error instanceof ConnectError)) return fromNetworkError(error);
  return withRetryAfter(errorOf(error), (name) => error.metadata.get(name));
}

function errorOf(error: ConnectError): AshlarError {
  const info = error.findDetails(ErrorInfoSchema)[0];
  const code = info === undefined ? undefined : ErrorReason[info.reason];
  if (info !== undefined && isErrorCode(code)) {
    return new AshlarError(code, error.rawMessage, { details: info.details, cause: error });
  }
  if (AshlarError.is(error.cause)) return error.cause;
  const tls = LIBRARY_FAILURES.has(error.code) ? tlsProblem(error) : undefined;
  if (tls !== undefined) return new AshlarError("NODE_UNAVAILABLE", tls, { cause: error });
  return new AshlarError(nearestCode(error), error.rawMessage, { cause: error });
}

function nearestCode(error: ConnectError): ErrorCode {
  if (error.code === Code.ResourceExhausted && SIZE_LIMIT.test(error.rawMessage)) return "OBJECT_TOO_LARGE";
  if (error.code === Code.Internal || error.code === Code.Unknown) {
    if (isNetworkError(error) || BROKEN_STREAM.test(error.rawMessage)) return "NODE_UNAVAILABLE";
  }
  return NEAREST[error.code];
}
