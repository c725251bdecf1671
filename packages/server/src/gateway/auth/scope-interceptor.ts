import { AshlarError } from "@ashlar/sdk/errors";
import type { Interceptor } from "@connectrpc/connect";
import type { Operation } from "./access-table.ts";
import { NOBODY, principalKey } from "./auth-gate.ts";
import { assertTouchesInScope, type ScopeContext } from "./check-scope.ts";
import { outOfReach, SCOPE, type ScopeRule, type Touched } from "./scope-table.ts";

/**
 * Holds callers with an access token to its scope: every message of every RPC goes by the table before its handler sees it. Needs the gate
 * before it, which tells who calls.
 */
export function scopeInterceptor(context: ScopeContext): Interceptor {
  return (next) => async (request) => {
    const principal = request.contextValues.get(principalKey);
    if (principal === NOBODY) throw new AshlarError("INTERNAL", "the call did not pass its gate");
    const { scope } = principal;
    if (scope === undefined) return await next(request);
    const touchedBy = rule(request.method.localName as Operation);
    const check = (message: unknown): Promise<void> =>
      assertTouchesInScope(context, scope, touchedBy(message), request.signal);
    if (request.stream) return await next({ ...request, message: checked(request.message, check) });
    await check(request.message);
    return await next(request);
  };
}

function rule(operation: Operation): (message: unknown) => readonly Touched[] {
  // The table pairs operations with their messages; over a union TypeScript cannot.
  const found = SCOPE[operation] as ScopeRule<unknown>;
  if (typeof found === "function") return found;
  if (found === "nothing" || found === "key") return () => [];
  throw outOfReach(operation, "token");
}

async function* checked<Message>(
  messages: AsyncIterable<Message>,
  check: (message: Message) => Promise<void>,
): AsyncGenerator<Message, void, undefined> {
  for await (const message of messages) {
    await check(message);
    yield message;
  }
}
