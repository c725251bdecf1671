import { AshlarError, type ConnectCodeName, ERROR_CODES, type ErrorCode } from "@ashlar/sdk/errors";

/** Exit codes with their meaning; `docs/errors.md` and `--help` show them. */
export const EXIT_CODES = Object.freeze({
  OK: { value: 0, meaning: "it worked; a server was stopped in order" },
  ERROR: { value: 1, meaning: "an unexpected failure" },
  USAGE: { value: 2, meaning: "the command line, a setting or an argument is wrong" },
  NOT_FOUND: { value: 3, meaning: "the bucket, object or upload does not exist" },
  DENIED: { value: 4, meaning: "the credentials are missing, wrong, or do not allow this" },
  UNAVAILABLE: {
    value: 5,
    meaning: "a server, the database or the disk cannot do it now, or time ran out; it may work later",
  },
  CONFLICT: { value: 6, meaning: "the state does not allow it: it exists, it is not empty, a condition does not hold" },
  DAMAGED: { value: 7, meaning: "bytes are lost, or are not what they should be" },
  INTERRUPTED: { value: 130, meaning: "Ctrl-C (SIGINT)" },
  BROKEN_PIPE: { value: 141, meaning: "the reader of standard output went away" },
  TERMINATED: { value: 143, meaning: "SIGTERM or a closed terminal while a client command ran" },
} as const);

const BY_CONNECT: Readonly<Record<ConnectCodeName, number>> = Object.freeze({
  canceled: EXIT_CODES.INTERRUPTED.value,
  unknown: EXIT_CODES.ERROR.value,
  invalid_argument: EXIT_CODES.USAGE.value,
  out_of_range: EXIT_CODES.USAGE.value,
  deadline_exceeded: EXIT_CODES.UNAVAILABLE.value,
  unavailable: EXIT_CODES.UNAVAILABLE.value,
  resource_exhausted: EXIT_CODES.UNAVAILABLE.value,
  not_found: EXIT_CODES.NOT_FOUND.value,
  unauthenticated: EXIT_CODES.DENIED.value,
  permission_denied: EXIT_CODES.DENIED.value,
  already_exists: EXIT_CODES.CONFLICT.value,
  failed_precondition: EXIT_CODES.CONFLICT.value,
  aborted: EXIT_CODES.CONFLICT.value,
  data_loss: EXIT_CODES.DAMAGED.value,
  unimplemented: EXIT_CODES.ERROR.value,
  internal: EXIT_CODES.ERROR.value,
});

/** The exit code of an error, derived from its row in the error table. */
export function exitCodeOf(code: ErrorCode): number {
  // The arguments are right, the bytes are wrong.
  if (code === "CHECKSUM_MISMATCH") return EXIT_CODES.DAMAGED.value;
  return BY_CONNECT[ERROR_CODES[code].connect];
}

/** Why a command was ended from outside, with the exit code that follows. */
export class Interruption extends AshlarError {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super("CANCELED", message);
    this.exitCode = exitCode;
  }
}
