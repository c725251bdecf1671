import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock, Random } from "@ashlar/sdk/ports";
import { decodeBase64Url, encodeBase64Url } from "./base64url.ts";
import {
  type GatewayReceipt,
  GRANT_KINDS,
  type Grant,
  type GrantKind,
  type GrantOf,
  type NodeReceipt,
} from "./grant.ts";
import { decodePayload, encodePayload, peekKind } from "./grant-payload.ts";
import type { Signer } from "./signer.ts";
import { type ClusterKeys, webCryptoSigner } from "./web-crypto-signer.ts";

/** How far the clocks of two machines may differ before one refuses the other's grants. */
export const CLOCK_SKEW_MS = 60_000;

/** Life of a cluster grant: long enough to reuse for many calls, short enough to be worthless in an old log. */
export const CLUSTER_GRANT_TTL_MS = 300_000;

/**
 * Life of a receipt. Longer than a ticket's, because tickets are renewed and receipts given under them stay good; an hour shorter than the
 * claim, so that no commit is accepted for a chunk that the collector may take.
 */
export const RECEIPT_TTL_MS: number = LIMITS.CLAIM_TTL_MS - LIMITS.COLLECT_GRACE_MS;

/** Life of a read grant: as long as the manifest of a replaced object version stays readable, so that a reader that began may finish. */
export const READ_GRANT_TTL_MS: number = LIMITS.COLLECT_GRACE_MS;

/** Life of the handle of a manifest. It is accepted only together with an API key or access token, so it may last for a read of a day. */
export const MANIFEST_TTL_MS: number = LIMITS.CLAIM_TTL_MS;

// The longest honest token names a key of 1,024 control characters, which JSON writes with six characters each.
const TOKEN_MAX_LENGTH = 12 * 1024;

/** A grant before it has a kind and an end of life. */
type GrantFields<G extends Grant> = G extends Grant ? Omit<G, "kind" | "holder" | "expiresAtMs"> : never;

/** When a grant ends at the latest, in ms since the Unix epoch. */
export interface EndOptions {
  readonly notAfterMs?: number | undefined;
}

/** Signs and verifies the grants of one cluster. Stateless: any holder of the cluster key verifies what any other signed. */
export interface GrantKeeper {
  issueCluster(): Promise<string>;
  /** @param options.notAfterMs ends it earlier than usual: a write grant ends with the credential that it came from. */
  issueWrite(fields: GrantFields<GrantOf<"write">>, options?: EndOptions): Promise<string>;
  /** As {@link issueWrite}. */
  issueTicket(fields: GrantFields<GrantOf<"ticket">>, options?: EndOptions): Promise<string>;
  issueRead(fields: GrantFields<GrantOf<"read">>): Promise<string>;
  /** @param options.notAfterMs what {@link GrantKeeper.receiptsEndMs} said before the chunk was claimed. */
  issueNodeReceipt(fields: GrantFields<NodeReceipt>, options?: EndOptions): Promise<string>;
  /** As {@link issueNodeReceipt}. */
  issueGatewayReceipt(fields: GrantFields<GatewayReceipt>, options?: EndOptions): Promise<string>;
  /** When a receipt of now ends, in ms since the Unix epoch. A claim is older than its receipt by whatever time the server sleeps between the two. */
  receiptsEndMs(): number;
  issueManifest(fields: GrantFields<GrantOf<"manifest">>): Promise<string>;
  /** @param fields.expiresAtMs when it ends; exact to the millisecond, with no allowance for other clocks, because its holder was told the time. */
  issueAccess(fields: Omit<GrantOf<"access">, "kind">): Promise<string>;
  /**
   * Checks a token.
   *
   * @param kinds what is accepted here.
   * @param options.expiredForMs accept tokens that ended up to this long ago (default 0), for renewals; the clock skew comes on top.
   * @throws {AshlarError} UNAUTHENTICATED if it is malformed, not signed with this cluster's key, or expired; PERMISSION_DENIED if it is
   *   valid but of another kind. The message never tells more than that. Details of one that has expired: `grantAgeMs`, its age by this clock. A
   *   caller that has just got it learns from this how far the clocks differ.
   */
  verify<Kind extends GrantKind>(
    token: string | undefined,
    kinds: readonly Kind[],
    options?: { readonly expiredForMs?: number | undefined },
  ): Promise<GrantOf<Kind>>;
  /** A new ticket id: 128 random bits. */
  newTicketId(): string;
  /** 32 bytes to prove possession of a chunk with: the same for ticket, chunk and node as long as the cluster key stays. */
  nonceFor(ticketId: string, chunkId: Digest, nodeId: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Seals a secret that will be needed again, so that the database can keep it.
   *
   * @param owner whose secret it is, such as a key id: it is unsealed for the same owner only.
   * @returns a byte for the format, a nonce of 12 bytes, AES-256-GCM under a subkey of the cluster key: 29 bytes more than the secret.
   */
  seal(secret: string, owner: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The inverse of {@link GrantKeeper.seal}, with any key that the cluster has: after a change of the key, earlier secrets can be unsealed as long as
   * both keys are given.
   *
   * @throws {AshlarError} UNAUTHENTICATED if it was sealed under another key or for another owner, or is damaged.
   */
  unseal(sealed: Uint8Array, owner: string): Promise<string>;
}

/** What a keeper is made of. */
export interface GrantKeeperOptions {
  /** At least 32 characters; the same on every server of the cluster, except while it is changed. There is no default. */
  readonly clusterKey?: ClusterKeys | undefined;
  /** Instead of `clusterKey`. Default: {@link webCryptoSigner} with it. */
  readonly signer?: Signer | undefined;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Pick<Random, "bytes">;
  /** Life of tickets and write grants in ms; default GRANT_TTL_MS. */
  readonly grantTtlMs?: number | undefined;
  /** Default 23 hours: an hour less than a claim lives. */
  readonly receiptTtlMs?: number | undefined;
}

/**
 * Creates the keeper of a cluster.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the cluster key is too short.
 */
export function createGrantKeeper(options: GrantKeeperOptions): GrantKeeper {
  const { signer = webCryptoSigner(options.clusterKey ?? "") } = options;
  const { clock, random, grantTtlMs = LIMITS.GRANT_TTL_MS, receiptTtlMs = RECEIPT_TTL_MS } = options;
  const until = (ttlMs: number, { notAfterMs = Number.POSITIVE_INFINITY }: EndOptions = {}): Ending => ({
    expiresAtMs: Math.floor(Math.min(clock.nowMs() + ttlMs, notAfterMs)),
  });
  const issue = async (grant: Grant): Promise<string> => signGrant(signer, grant);
  const livesMs: Readonly<Record<GrantKind, number>> = {
    ...{ cluster: CLUSTER_GRANT_TTL_MS, write: grantTtlMs, ticket: grantTtlMs, read: READ_GRANT_TTL_MS },
    // The end of an access token is chosen: its age cannot be told.
    ...{ receipt: receiptTtlMs, manifest: MANIFEST_TTL_MS, access: Number.NaN },
  };
  return Object.freeze<GrantKeeper>({
    issueCluster: () => issue({ kind: "cluster", ...until(CLUSTER_GRANT_TTL_MS) }),
    issueWrite: (fields, end) => issue({ kind: "write", ...fields, ...until(grantTtlMs, end) }),
    issueTicket: (fields, end) => issue({ kind: "ticket", ...fields, ...until(grantTtlMs, end) }),
    issueRead: (fields) => issue({ kind: "read", ...fields, ...until(READ_GRANT_TTL_MS) }),
    issueNodeReceipt: (fields, end) =>
      issue({ kind: "receipt", holder: "node", ...fields, ...until(receiptTtlMs, end) }),
    issueGatewayReceipt: (fields, end) =>
      issue({ kind: "receipt", holder: "gateway", ...fields, ...until(receiptTtlMs, end) }),
    receiptsEndMs: () => clock.nowMs() + receiptTtlMs,
    issueManifest: (fields) => issue({ kind: "manifest", ...fields, ...until(MANIFEST_TTL_MS) }),
    issueAccess: (fields) => issue({ kind: "access", ...fields }),
    async verify(token, kinds, { expiredForMs = 0 } = {}) {
      const grant = await readGrant(signer, token);
      const nowMs = clock.nowMs();
      assertAlive(grant, nowMs - expiredForMs, nowMs - (grant.expiresAtMs - livesMs[grant.kind]));
      if (!isOf(grant, kinds)) {
        throw new AshlarError("PERMISSION_DENIED", `a grant of kind ${grant.kind} does not allow this`);
      }
      return grant;
    },
    newTicketId: () => encodeBase64Url(random.bytes(16)),
    async seal(secret, owner) {
      const nonce = Uint8Array.from(random.bytes(SEAL_NONCE_BYTES));
      const sealed = await signer.seal(encoder.encode(secret), { nonce, owner: encoder.encode(owner) });
      return Uint8Array.from([SEAL_FORMAT, ...nonce, ...sealed]);
    },
    async unseal(sealed, owner) {
      const [format, ...rest] = sealed;
      const box = { nonce: Uint8Array.from(rest.slice(0, SEAL_NONCE_BYTES)), owner: encoder.encode(owner) };
      const text =
        format === SEAL_FORMAT ? await signer.unseal(Uint8Array.from(rest.slice(SEAL_NONCE_BYTES)), box) : undefined;
      if (text !== undefined) return new TextDecoder().decode(text);
      throw new AshlarError("UNAUTHENTICATED", "the secret was not sealed with this cluster's key");
    },
    nonceFor: (ticketId, chunkId, nodeId) =>
      signer.sign("nonce", encoder.encode(JSON.stringify([ticketId, encodeHex(chunkId), nodeId]))),
  });
}

const encoder = new TextEncoder();
const SEAL_FORMAT = 1;
/** Random: with 96 bits billions of secrets may be sealed under one key. */
const SEAL_NONCE_BYTES = 12;

interface Ending {
  readonly expiresAtMs: number;
}

function assertAlive({ kind, expiresAtMs }: Grant, nowMs: number, ageMs: number): void {
  if (kind === "access") {
    if (nowMs >= expiresAtMs) throw unauthenticated("the access token has expired; ask for a new one");
  } else if (nowMs > expiresAtMs + CLOCK_SKEW_MS) {
    throw new AshlarError("UNAUTHENTICATED", "the grant has expired", { details: { grantAgeMs: String(ageMs) } });
  }
}

async function signGrant(signer: Signer, grant: Grant): Promise<string> {
  const payload = encodeBase64Url(encodePayload(grant));
  return `${payload}.${encodeBase64Url(await signer.sign(grant.kind, encoder.encode(payload)))}`;
}

async function readGrant(signer: Signer, token: string | undefined): Promise<Grant> {
  if (token === undefined || token === "") throw unauthenticated("a grant is needed");
  const [payloadText = "", macText, ...more] = token.length <= TOKEN_MAX_LENGTH ? token.split(".") : [];
  const payload = decodeBase64Url(payloadText);
  const mac = macText === undefined ? undefined : decodeBase64Url(macText);
  if (payload === undefined || mac === undefined || more.length > 0) throw unauthenticated("the grant is malformed");
  const peeked = peekKind(payload);
  if (!peeked || !isGrantKind(peeked.kind)) throw unauthenticated("the grant is malformed");
  if (!(await signer.verify(peeked.kind, mac, encoder.encode(payloadText))))
    throw unauthenticated("the grant is not signed by this cluster");
  const grant = decodePayload(peeked.fields);
  if (grant === undefined) throw unauthenticated("the grant is malformed");
  return grant;
}

const isGrantKind = (kind: string): kind is GrantKind => (GRANT_KINDS as readonly string[]).includes(kind);

function isOf<Kind extends GrantKind>(grant: Grant, kinds: readonly Kind[]): grant is GrantOf<Kind> {
  return (kinds as readonly GrantKind[]).includes(grant.kind);
}

function unauthenticated(message: string): AshlarError {
  return new AshlarError("UNAUTHENTICATED", message);
}
