import { AshlarError } from "@ashlar/sdk/errors";
import { NOBODY } from "../auth/auth-gate.ts";
import type { CallHead, Principal } from "../auth/authenticator.ts";
import { assertTouchesInScope, type Touched } from "../auth/check-scope.ts";
import type { AccessRules } from "../auth/roles.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { CHUNKED_OPERATIONS } from "./chunked-operations.ts";
import { CLUSTER_OPERATIONS, CREDENTIAL_OPERATIONS } from "./cluster-operations.ts";
import { OBJECT_OPERATIONS } from "./object-operations.ts";
import type { GatewayCall, GatewayOperation, OperationName, ScopeRule } from "./operation.ts";
import { UPLOAD_OPERATIONS } from "./upload-operations.ts";

/** All that a gateway does for callers. If an operation is missing here, the code does not compile. */
export const GATEWAY_OPERATIONS = Object.freeze({
  ...OBJECT_OPERATIONS,
  ...UPLOAD_OPERATIONS,
  ...CHUNKED_OPERATIONS,
  ...CLUSTER_OPERATIONS,
  ...CREDENTIAL_OPERATIONS,
} satisfies Readonly<Record<OperationName, GatewayOperation<never, unknown>>>);

type Table = typeof GATEWAY_OPERATIONS;
export type OperationInput<Name extends OperationName> = Parameters<Table[Name]["run"]>[1];
export type OperationOutput<Name extends OperationName> =
  Table[Name] extends GatewayOperation<never, infer Output> ? Output : never;

/**
 * What the APIs of a gateway share. They turn their requests into the input of an operation, and its result into their answers. Whether the caller
 * may do it is decided here, in two steps: by the head of the call before a byte of its body is read, and by the input before anything is done.
 */
export interface GatewayOperations {
  /** @throws {AshlarError} UNAUTHENTICATED, PERMISSION_DENIED, METADATA_UNAVAILABLE. */
  authenticate(head: CallHead, name: OperationName): Promise<Principal>;
  /**
   * Holds the caller to the scope of its credentials.
   *
   * @returns a function that performs the operation.
   * @throws {AshlarError} PERMISSION_DENIED; see {@link assertTouchesInScope}.
   */
  permit<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
    call: GatewayCall,
  ): Promise<() => Promise<OperationOutput<Name>>>;
  /** Permits and performs an operation. */
  perform<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
    call: GatewayCall,
  ): Promise<OperationOutput<Name>>;
}

export function createGatewayOperations(context: GatewayContext): GatewayOperations {
  const permit: GatewayOperations["permit"] = async (name, input, call) => {
    if (call.principal === NOBODY) throw new AshlarError("INTERNAL", "the call did not pass its gate");
    // The table pairs operations with their inputs; TypeScript cannot do that over a union.
    const { scope, run } = GATEWAY_OPERATIONS[name] as unknown as GatewayOperation<typeof input, never>;
    await assertTouchesInScope(context, call.principal.scope, touchedBy(scope, input), call.signal);
    return () => run(context, input, call);
  };
  return {
    authenticate: (head, name) => context.authenticator.authenticate(head, accessRulesOf(name)),
    permit,
    perform: (name, input, call) => permit(name, input, call).then((run) => run()),
  };
}

/** Who may call an operation. */
export function accessRulesOf(name: OperationName): AccessRules {
  const { access, scope } = GATEWAY_OPERATIONS[name] as GatewayOperation<never, unknown>;
  return { name, access, scope: typeof scope === "function" ? "by-input" : scope };
}

/** Callers with a scope that may not call an operation at all were refused earlier, by `authenticate`. */
function touchedBy<Input>(scope: ScopeRule<Input>, input: Input): readonly Touched[] {
  return typeof scope === "function" ? scope(input) : [];
}
