import type { GrantKind } from "./grant.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What is signed. Each purpose has a key of its own, so that a signature for one is never good for another. */
export type SigningPurpose = GrantKind | "nonce";

/**
 * The secret of a cluster, as a grant keeper uses it. {@link webCryptoSigner} is the one that servers have; a test that must run the same way twice,
 * or a cluster whose key lies in a key service, brings its own.
 */
export interface Signer {
  /** @returns 32 bytes, the same for the same purpose and message. */
  sign(purpose: SigningPurpose, message: Bytes): Promise<Bytes>;
  /** Whether `signature` was made by {@link Signer.sign}, with any key that the cluster accepts. Its time must not depend on the bytes. */
  verify(purpose: SigningPurpose, signature: Bytes, message: Bytes): Promise<boolean>;
  /**
   * Encrypts what has to be read again.
   *
   * @param box.nonce 12 bytes, never the same twice.
   * @param box.owner authenticated with the text: what was sealed for one owner opens for no other.
   * @returns at least as long as the text.
   */
  seal(text: Bytes, box: { readonly nonce: Bytes; readonly owner: Bytes }): Promise<Bytes>;
  /** The text, or `undefined` if it was sealed with a key that the cluster does not accept, for another owner, or is damaged. */
  unseal(sealed: Bytes, box: { readonly nonce: Bytes; readonly owner: Bytes }): Promise<Bytes | undefined>;
}
