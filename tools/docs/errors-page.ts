import { ERROR_CODE_DOCS } from "@ashlar/sdk/docs";
import { ERROR_CODES, type ErrorCode, type RetryRule } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { EXIT_CODES, exitCodeOf } from "@ashlar/server/cli";
import { code, GENERATED_NOTE, markdownTable } from "./markdown.ts";

const RETRY: Readonly<Record<RetryRule, string>> = {
  never: "no",
  backoff: "by itself, with backoff",
  caller: "the caller decides",
};

/** docs/errors.md: one table of codes with every API's column, and the exit codes of the command line. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([name, row]) => [
    code(name),
    ERROR_CODE_DOCS[name as ErrorCode],
    code(row.connect),
    String(row.http),
    String(exitCodeOf(name as ErrorCode)),
    RETRY[row.retry],
  ]);
  const exits = Object.values(EXIT_CODES).map(({ value, meaning }) => [String(value), meaning]);
  return `${GENERATED_NOTE}

# Errors

Everything that fails, fails with an \`AshlarError\`: \`code\` is one of this table, \`message\` is for people and may change, \`details\` holds names and
sizes as text, \`cause\` is the error that led to it, \`retryable\` says whether the same call may succeed later. The code is the same from every
seat and transport. Test it with \`AshlarError.is(error, "OBJECT_NOT_FOUND")\`, which also knows errors of a second copy of the package.

${markdownTable([["code", "when", "gRPC, Connect", "HTTP", "exit code", "tried again"], ...rows])}

Plain HTTP answers carry the code in \`application/problem+json\` and in the header \`ashlar-error-code\`; RPCs carry it in an \`ErrorInfo\` detail
(see [the wire protocol](wire-protocol.md)).

## What happens by itself, and what may have happened

Calls whose code is "tried again by itself" wait for the server: a restart, a busy moment, a database that is away. Reads and writes are tried again
for ${LIMITS.RETRY_FOR_MS / 1000} s from the first failure, or as long as the seat's option \`retry: { forMs }\` says (0: one try). The wait between tries is
random, up to a growing bound of at most ${LIMITS.RETRY_MAX_MS / 1000} s, longer where the server asks for it (\`details.retryAfterMs\`, from the header \`retry-after\`).
\`signal\` and \`timeoutMs\` end the waiting (the \`cause\` of that DEADLINE_EXCEEDED is the error of the last try), and
\`retry: { onRetry }\` is called before each wait.

A write carries an operation id, the same for all its tries. The store keeps its result for a day in the same transaction as the change, so a try
whose answer was lost is recognised: the next one gets the first result, and changes nothing of what others wrote or deleted since. An app that
wants to repeat a write by itself, for example after a crash, gives its own \`operationId\`; with another request that id is \`INVALID_ARGUMENT\`.

A write that is **refused** has not happened: nothing of it is visible. A write whose last answer was **lost** (the tries are used up, or the call was
given up while it waited for an answer) rejects with \`details.outcome\` \`"unknown"\`: it may have happened, or still happen while the server works on
it. Look with \`headObject\`, or repeat it under an operation id of your own. \`completeUpload\` of an upload that was completed with the same parts
answers with the object for a day.

## Exit codes of the command line

${markdownTable([["exit code", "meaning"], ...exits])}
`;
}
