/** A store that runs. */
export interface Store {
  readonly gatewayUrl: string;
  readonly apiKey: string;
  /** For people. */
  readonly description: string;
  /** Resolves if the store ends by itself. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** Which store to open, and who may call it. */
export interface StoreOptions {
  /** One server, a cluster of six nodes, or one that runs elsewhere. */
  readonly kind: "serve" | "cluster" | "given";
  /** Of the one that runs elsewhere. */
  readonly url: string | undefined;
  readonly path: string;
  readonly pageOrigins: readonly string[];
}
