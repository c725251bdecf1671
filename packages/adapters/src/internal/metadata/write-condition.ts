import { AshlarError } from "@ashlar/sdk/errors";
import type { WriteCondition } from "@ashlar/sdk/ports";

/**
 * Checks a condition against the etag of the latest version (`undefined`: there is none).
 * @throws {AshlarError} PRECONDITION_FAILED.
 */
export function assertWriteCondition(currentEtag: string | undefined, condition: WriteCondition | undefined): void {
  if (condition === undefined) return;
  const { ifMatch, ifNoneMatch } = condition;
  const matches = (wanted: string): boolean => currentEtag !== undefined && (wanted === "*" || wanted === currentEtag);
  if (ifMatch !== undefined && !matches(ifMatch)) throw failed("ifMatch", currentEtag);
  if (ifNoneMatch !== undefined && matches(ifNoneMatch)) throw failed("ifNoneMatch", currentEtag);
}

function failed(condition: string, currentEtag: string | undefined): AshlarError {
  return new AshlarError("PRECONDITION_FAILED", `${condition} does not hold`, {
    details: { condition, currentEtag: currentEtag ?? "" },
  });
}
