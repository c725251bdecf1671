import { AshlarError } from "@ashlar/sdk/errors";
import { GRANT_KINDS } from "./grant.ts";
import type { Signer, SigningPurpose } from "./signer.ts";

/** Shortest cluster key in characters: 32 random hex digits are 128 bits. */
export const CLUSTER_KEY_MIN_LENGTH = 32;

/** The cluster key, or several while it is changed: the first signs, all are accepted. At most two. */
export type ClusterKeys = string | readonly string[];

/** A change needs two. With more, it would only cost more to refuse a forged grant. */
export const CLUSTER_KEYS_MAX = 2;

/** Keys derived from one cluster key, one for each purpose. */
interface Subkeys {
  readonly hmac: Readonly<Record<SigningPurpose, CryptoKey>>;
  readonly seal: CryptoKey;
}

const encoder = new TextEncoder();
const HMAC = { name: "HMAC", hash: "SHA-256", length: 256 } as const;
const AES = { name: "AES-GCM", length: 256 } as const;
// Names the format of tokens too: a format change gets another label, so that old and new tokens never mix.
const LABEL = "ashlar grant v1 ";

/**
 * Signs with HMAC-SHA-256 and seals with AES-256-GCM, under subkeys that HKDF-SHA-256 derives from the cluster key at the first use.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if there is no cluster key or too many, or one is shorter than 32 characters; there is no
 *   default.
 */
export function webCryptoSigner(clusterKeys: ClusterKeys): Signer {
  const keys = checkedKeys(clusterKeys);
  let derived: Promise<readonly Subkeys[]> | undefined;
  const all = (): Promise<readonly Subkeys[]> => {
    derived ??= Promise.all(keys.map(deriveFrom));
    return derived;
  };
  const first = async (): Promise<Subkeys> => (await all())[0] as Subkeys;
  return Object.freeze<Signer>({
    async sign(purpose, message) {
      return new Uint8Array(await crypto.subtle.sign("HMAC", (await first()).hmac[purpose], message));
    },
    async verify(purpose, signature, message) {
      // subtle.verify compares in constant time.
      for (const { hmac } of await all())
        if (await crypto.subtle.verify("HMAC", hmac[purpose], signature, message)) return true;
      return false;
    },
    async seal(text, { nonce, owner }) {
      const algorithm = { name: "AES-GCM", iv: nonce, additionalData: owner };
      return new Uint8Array(await crypto.subtle.encrypt(algorithm, (await first()).seal, text));
    },
    async unseal(sealed, { nonce, owner }) {
      const algorithm = { name: "AES-GCM", iv: nonce, additionalData: owner };
      for (const { seal } of await all()) {
        const opened = await crypto.subtle.decrypt(algorithm, seal, sealed).catch(() => undefined);
        if (opened !== undefined) return new Uint8Array(opened);
      }
      return undefined;
    },
  });
}

function checkedKeys(clusterKeys: ClusterKeys): readonly string[] {
  const keys: readonly string[] = Array.isArray(clusterKeys) ? clusterKeys : [clusterKeys as string];
  if (keys.length > CLUSTER_KEYS_MAX)
    throw new AshlarError("INVALID_ARGUMENT", `a cluster has at most ${CLUSTER_KEYS_MAX} keys at a time`);
  if (keys.length > 0 && keys.every((key) => typeof key === "string" && key.length >= CLUSTER_KEY_MIN_LENGTH))
    return keys;
  throw new AshlarError(
    "INVALID_ARGUMENT",
    `the cluster key needs at least ${CLUSTER_KEY_MIN_LENGTH} characters; make one with "openssl rand -hex 32"`,
  );
}

async function deriveFrom(clusterKey: string): Promise<Subkeys> {
  const master = await crypto.subtle.importKey("raw", encoder.encode(clusterKey), "HKDF", false, ["deriveKey"]);
  const hkdf = (purpose: string): HkdfParams => {
    return { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(LABEL + purpose) };
  };
  const derive = async (purpose: SigningPurpose): Promise<readonly [SigningPurpose, CryptoKey]> => [
    purpose,
    await crypto.subtle.deriveKey(hkdf(purpose), master, HMAC, false, ["sign", "verify"]),
  ];
  return {
    hmac: Object.fromEntries(await Promise.all([...GRANT_KINDS, "nonce" as const].map(derive))) as Subkeys["hmac"],
    seal: await crypto.subtle.deriveKey(hkdf("seal"), master, AES, false, ["encrypt", "decrypt"]),
  };
}
