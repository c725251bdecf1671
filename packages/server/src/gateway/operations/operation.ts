import type { ReadBudget, WriteOptions } from "@ashlar/sdk/ports";
import type { ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";
import type { Principal } from "../auth/authenticator.ts";
import type { Touched } from "../auth/check-scope.ts";
import type { Access } from "../auth/roles.ts";
import type { GatewayContext } from "../gateway-context.ts";

/** Operations of a gateway, named as its RPCs; routes of plain HTTP use the name of their operation. */
export type OperationName =
  | keyof typeof ObjectService.method
  | keyof typeof ClusterService.method
  | keyof typeof CredentialService.method;

/** Who calls, and what the call says besides its input. A write passes it on as its options. */
export interface GatewayCall extends WriteOptions {
  readonly principal: Principal;
  /** Budget for what an answer holds until it is taken; the same on each call. Made when it is asked for, which only reads do. */
  budget(): ReadBudget | undefined;
  /** Resolves once the client can no longer have taken back a body that ended. */
  readonly confirmEnd?: (() => Promise<void>) | undefined;
}

/**
 * `never`: no caller with a scope may do it. `key`: API keys may, also those with a scope, which the operation checks itself; access tokens may not.
 * `nothing`: the operation touches no bucket. Otherwise a function: what an input touches; all of it must lie in the scope.
 */
export type ScopeRule<Input> = "never" | "key" | "nothing" | ((input: Input) => readonly Touched[]);

/** What a gateway does for a caller, whichever API the call used. */
export interface GatewayOperation<Input, Output> {
  readonly access: Access;
  readonly scope: ScopeRule<Input>;
  run(context: GatewayContext, input: Input, call: GatewayCall): Promise<Output>;
}

/** Infers what an operation takes and gives. */
export const operation = <Input, Output>(rules: GatewayOperation<Input, Output>): GatewayOperation<Input, Output> =>
  Object.freeze(rules);
