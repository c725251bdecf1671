/** The file descriptors of the process that a server runs in: each connection, open chunk and connection to another server takes one. */
export interface Descriptors {
  /** Most connections of the server's port, so that descriptors are left for what the connections ask for. */
  readonly connectionsMax: number;
  /** Whether none is left just now, or connections were refused because of {@link connectionsMax} a moment ago. */
  areUsedUp(): Promise<boolean>;
  /** Tells that a connection was refused. */
  noteRefused(): void;
}
