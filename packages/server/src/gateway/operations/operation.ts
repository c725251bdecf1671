import type { ReadBudget, WriteOptions } from "@ashlar/sdk/ports";
import type { ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";
import type { Principal } from "../auth/authenticator.ts";
import type { Touched } from "../auth/check-scope.ts";
import type { Access } from "../auth/roles.ts";
import type { GatewayContext } from "../gateway-context.ts";

/** Operations of a gateway, named as its RPCs; routes of other APIs go by the operation that they stand for. */
export type OperationName =
  | keyof typeof ObjectService.method
  | keyof typeof ClusterService.method
  | keyof typeof CredentialService.method;

/** Who calls, and what the call said of itself beside its input. What a write passes on as its options. */
export interface GatewayCall extends WriteOptions {
  readonly principal: Principal;
  /** For what an answer holds until it is taken; asked for by reads alone, because each answer of a server has one. */
  budget(): ReadBudget | undefined;
  /** Resolves once the client can no longer have taken back a body that ended. */
  readonly confirmEnd?: (() => Promise<void>) | undefined;
}

/**
 * `never`: nobody with a scope does it. `key`: API keys do, also with a scope, to which the operation holds them itself; no access token does.
 * `nothing`: it tells of no bucket. Else what an input touches; all of it must lie in the scope.
 */
export type ScopeRule<Input> = "never" | "key" | "nothing" | ((input: Input) => readonly Touched[]);

/** What a gateway does for a caller, whatever API the call came by. */
export interface GatewayOperation<Input, Output> {
  readonly access: Access;
  readonly scope: ScopeRule<Input>;
  run(context: GatewayContext, input: Input, call: GatewayCall): Promise<Output>;
}

/** Infers what an operation takes and gives. */
export const operation = <Input, Output>(rules: GatewayOperation<Input, Output>): GatewayOperation<Input, Output> =>
  Object.freeze(rules);
