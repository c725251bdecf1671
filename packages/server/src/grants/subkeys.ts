import { AshlarError } from "@ashlar/sdk/errors";
import { GRANT_KINDS, type GrantKind } from "./grant.ts";

/** Shortest cluster key in characters: 32 random hex digits are 128 bits. */
export const CLUSTER_KEY_MIN_LENGTH = 32;

/** Keys derived from the cluster key, one for each purpose, so that a signature of one kind never passes as another. */
export interface Subkeys {
  readonly grants: Readonly<Record<GrantKind, CryptoKey>>;
  /** Makes the nonces of possession proofs. */
  readonly nonce: CryptoKey;
  /** Seals secrets that are kept in the database. */
  readonly seal: CryptoKey;
}

const encoder = new TextEncoder();
const HMAC = { name: "HMAC", hash: "SHA-256", length: 256 } as const;
const AES = { name: "AES-GCM", length: 256 } as const;
// Names the format of tokens too: a format change gets another label, so that old and new tokens never mix.
const LABEL = "ashlar grant v1 ";

/** The cluster key, or several while it is changed: the first signs, all are accepted. At most {@link CLUSTER_KEYS_MAX}. */
export type ClusterKeys = string | readonly string[];

/** A change needs two. With more, it would only cost more to refuse a forged grant. */
export const CLUSTER_KEYS_MAX = 2;

/**
 * Checks the cluster keys; there is no default.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if there is no cluster key or too many, or one is shorter than {@link CLUSTER_KEY_MIN_LENGTH}.
 */
export function assertClusterKeys(clusterKeys: ClusterKeys): void {
  const keys = listOf(clusterKeys);
  if (keys.length > CLUSTER_KEYS_MAX)
    throw new AshlarError("INVALID_ARGUMENT", `a cluster has at most ${CLUSTER_KEYS_MAX} keys at a time`);
  if (keys.length > 0 && keys.every((key) => typeof key === "string" && key.length >= CLUSTER_KEY_MIN_LENGTH)) return;
  throw new AshlarError(
    "INVALID_ARGUMENT",
    `the cluster key needs at least ${CLUSTER_KEY_MIN_LENGTH} characters; make one with "openssl rand -hex 32"`,
  );
}

const listOf = (clusterKeys: ClusterKeys): readonly string[] =>
  Array.isArray(clusterKeys) ? clusterKeys : [clusterKeys as string];

/** Derives the keys by HKDF-SHA-256, of each cluster key. @throws {AshlarError} INVALID_ARGUMENT as {@link assertClusterKeys}. */
export async function deriveSubkeys(clusterKeys: ClusterKeys): Promise<readonly [Subkeys, ...Subkeys[]]> {
  assertClusterKeys(clusterKeys);
  const [first, ...others] = listOf(clusterKeys);
  return [await deriveFrom(first ?? ""), ...(await Promise.all(others.map(deriveFrom)))];
}

async function deriveFrom(clusterKey: string): Promise<Subkeys> {
  const master = await crypto.subtle.importKey("raw", encoder.encode(clusterKey), "HKDF", false, ["deriveKey"]);
  const hkdf = (purpose: string): HkdfParams => {
    return { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(LABEL + purpose) };
  };
  const derive = (purpose: string): Promise<CryptoKey> =>
    crypto.subtle.deriveKey(hkdf(purpose), master, HMAC, false, ["sign", "verify"]);
  const grants = await Promise.all(GRANT_KINDS.map(async (kind) => [kind, await derive(kind)] as const));
  return {
    grants: Object.fromEntries(grants) as Record<GrantKind, CryptoKey>,
    nonce: await derive("nonce"),
    seal: await crypto.subtle.deriveKey(hkdf("seal"), master, AES, false, ["encrypt", "decrypt"]),
  };
}
