import { ERROR_CODE_DOCS, ERROR_S3_CODES } from "@ashlar/sdk/docs";
import { ERROR_CODES, type ErrorCode, type RetryRule } from "@ashlar/sdk/errors";
import { EXIT_CODES, exitCodeOf } from "@ashlar/server/cli";
import { code, GENERATED_NOTE, markdownTable } from "./markdown.ts";

const RETRY: Readonly<Record<RetryRule, string>> = {
  never: "no",
  backoff: "by itself, with backoff",
  caller: "the caller decides",
};

function s3Cell(name: ErrorCode): string {
  const s3 = ERROR_S3_CODES[name];
  return s3 === "-" ? "" : code(s3);
}

/** docs/errors.md: one table of codes with every face's column, and the exit codes of the command line. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([name, row]) => [
    code(name),
    ERROR_CODE_DOCS[name as ErrorCode],
    code(row.connect),
    String(row.http),
    s3Cell(name as ErrorCode),
    String(exitCodeOf(name as ErrorCode)),
    RETRY[row.retry],
  ]);
  const exits = Object.values(EXIT_CODES).map(({ value, meaning }) => [String(value), meaning]);
  return `${GENERATED_NOTE}

# Errors

Everything that fails, fails with an \`AshlarError\`: \`code\` is one of this table, \`message\` is for people and may change, \`details\` holds names and
sizes as text, \`cause\` what lay below, \`retryable\` whether the same call may succeed later. The code is the same from every seat and transport.
Test it with \`AshlarError.is(error, "OBJECT_NOT_FOUND")\`, which knows errors of a second copy of the package too.

${markdownTable([["code", "when", "gRPC, Connect", "HTTP", "S3", "exit code", "tried again"], ...rows])}

Plain HTTP answers carry the code in \`application/problem+json\` and in the header \`ashlar-error-code\`; RPCs carry it in an \`ErrorInfo\` detail
(see [the wire protocol](wire-protocol.md)).

## Exit codes of the command line

${markdownTable([["exit code", "meaning"], ...exits])}
`;
}
