export { bearerToken, clusterAuthorization } from "./bearer.ts";
export type {
  AccessGrant,
  ClusterGrant,
  GatewayReceipt,
  Grant,
  GrantKind,
  GrantOf,
  ManifestGrant,
  NodeReceipt,
  ReadGrant,
  ReceiptGrant,
  TicketGrant,
  WriteGrant,
} from "./grant.ts";
export {
  CLOCK_SKEW_MS,
  CLUSTER_GRANT_TTL_MS,
  createGrantKeeper,
  type EndOptions,
  type GrantKeeper,
  type GrantKeeperOptions,
  READ_GRANT_TTL_MS,
  RECEIPT_TTL_MS,
} from "./grant-keeper.ts";
export { assertInScope, assertMayRead } from "./grant-scope.ts";
export type { Signer, SigningPurpose } from "./signer.ts";
export { CLUSTER_KEYS_MAX, type ClusterKeys, webCryptoSigner } from "./web-crypto-signer.ts";
