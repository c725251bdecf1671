/** How far an access token reaches. */
export interface AccessScope {
  readonly bucket: string;
  /** Only keys that begin with it; empty: every key of the bucket. */
  readonly prefix: string;
}
