export { AshlarError, type AshlarErrorOptions, abortError, type ErrorDetails, throwIfAborted } from "./ashlar-error.ts";
export {
  type ConnectCodeName,
  ERROR_CODES,
  type ErrorCode,
  type ErrorCodeRow,
  isErrorCode,
  type RetryRule,
} from "./codes.ts";
