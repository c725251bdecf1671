import { AshlarError } from "../../errors/index.ts";
import { raceAbort } from "../../internal/linked-abort.ts";
import { fromNetworkError } from "../../internal/network-error.ts";
import type { CallOptions, GatewayConnection } from "../../ports/index.ts";
import { assertApiKey } from "./remote-options.ts";

/** The key that the app gave, as long as gateways take it. */
export interface KeyHolder {
  /** The key; asks the app if there is none. */
  get(): Promise<string>;
  /** Forgets the key that was refused, so that `get` asks the app again, unless another call has done so. @returns whether this call forgot it. */
  renew(refused: Promise<string>): boolean;
}

/**
 * @param ask the app's function. If it fails, the calls that wait for it fail, and the next call asks again: NODE_UNAVAILABLE, which seats try again, if
 * it could not reach what it asks, else UNAUTHENTICATED.
 */
export function createKeyHolder(ask: () => string | Promise<string>): KeyHolder {
  let held: Promise<string> | undefined;
  const askApp = async (): Promise<string> => {
    let apiKey: unknown;
    try {
      apiKey = await ask();
    } catch (cause) {
      // A page whose network is away cannot reach its app either: calls wait for both alike, by their own policy.
      const { code, retryable } = fromNetworkError(cause);
      const isAway = retryable || code === "DEADLINE_EXCEEDED";
      throw new AshlarError(isAway ? "NODE_UNAVAILABLE" : "UNAUTHENTICATED", "the apiKey function failed", { cause });
    }
    assertApiKey(apiKey);
    return apiKey;
  };
  return {
    get() {
      if (held !== undefined) return held;
      const asked = askApp();
      held = asked;
      asked.catch(() => {
        if (held === asked) held = undefined;
      });
      return asked;
    },
    renew(refused) {
      if (held !== refused) return false;
      held = undefined;
      return true;
    },
  };
}

/** The connection. A call that a gateway refuses as UNAUTHENTICATED is tried again with a new key. */
export function renewingConnection(connection: GatewayConnection, holder: KeyHolder): GatewayConnection {
  const { catalog, grants, accessTokens, cluster } = connection;
  return {
    ...connection,
    catalog: renewing(catalog, holder),
    grants: renewing(grants, holder),
    accessTokens: renewing(accessTokens, holder),
    cluster: renewing(cluster, holder),
    close: () => connection.close(),
  };
}

/** The port, with such calls tried again. Not for chunk APIs: they take grants, not the key. */
function renewing<Port extends object>(port: Port, holder: KeyHolder): Port {
  // The target is empty: over a frozen port, a Proxy may only give the port's own methods.
  return new Proxy({} as Port, {
    get(_, name) {
      const method: unknown = Reflect.get(port, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        const { signal } = (args.at(-1) ?? {}) as CallOptions;
        return callWithKey(() => Reflect.apply(method, port, args) as Promise<unknown>, holder, signal);
      };
    },
  });
}

/** Other calls may have renewed the key while this one ran; this one asks for a new key once at most. */
async function callWithKey<T>(call: () => Promise<T>, holder: KeyHolder, signal?: AbortSignal): Promise<T> {
  for (let hasAsked = false; ; ) {
    const used = holder.get();
    await raceAbort(used, signal);
    try {
      return await call();
    } catch (error) {
      if (hasAsked || !AshlarError.is(error, "UNAUTHENTICATED")) throw error;
      hasAsked = holder.renew(used);
    }
  }
}
