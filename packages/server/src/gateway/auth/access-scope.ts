/** How far an access token reaches. */
export interface AccessScope {
  readonly bucket: string;
  /** Only keys that begin with it; empty: every key of the bucket. */
  readonly prefix: string;
  /** When the token ends, in ms since the Unix epoch; what is derived from it ends no later. */
  readonly expiresAtMs: number;
}
