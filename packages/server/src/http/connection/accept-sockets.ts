import type { Server } from "node:http";
import type { Socket } from "node:net";
import { addressOf } from "./connection.ts";
import { sniffProtocol } from "./protocol-sniffer.ts";

/** Options of {@link acceptSockets}. */
export interface AcceptOptions {
  readonly isEncrypted: boolean;
  /** Connections of one address; more are closed at once. */
  readonly perAddressMax: number;
  /** Time for the first bytes, or for the TLS handshake, however slowly they come. */
  readonly headersTimeoutMs: number;
  readonly dispatch: (protocol: "http1" | "http2", socket: Socket) => void;
}

/**
 * Accepts the connections of a port, and dispatches each when its protocol is known.
 *
 * @returns all sockets that are open, of whatever protocol.
 */
export function acceptSockets(front: Server, options: AcceptOptions): ReadonlySet<Socket> {
  const { isEncrypted, perAddressMax, headersTimeoutMs, dispatch } = options;
  const sockets = new Set<Socket>();
  const ofAddress = new Map<string, number>();
  const handshakes = new Map<string, NodeJS.Timeout>();
  front.prependListener("connection", (socket: Socket) => {
    const address = addressOf(socket);
    const count = (ofAddress.get(address) ?? 0) + 1;
    sockets.add(socket);
    ofAddress.set(address, count);
    const name = peerName(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      const left = (ofAddress.get(address) ?? 1) - 1;
      if (left === 0) ofAddress.delete(address);
      else ofAddress.set(address, left);
      clearTimeout(handshakes.get(name));
      handshakes.delete(name);
    });
    if (count > perAddressMax) socket.destroy();
    // Node's own handshake timeout begins again with every byte.
    else if (isEncrypted) handshakes.set(name, setTimeout(() => socket.destroy(), headersTimeoutMs).unref());
  });
  front.on(isEncrypted ? "secureConnection" : "connection", (socket: Socket & { readonly alpnProtocol?: unknown }) => {
    if (socket.destroyed) return;
    if (!isEncrypted) return sniffProtocol(socket, headersTimeoutMs, dispatch);
    const name = peerName(socket);
    clearTimeout(handshakes.get(name));
    handshakes.delete(name);
    dispatch(socket.alpnProtocol === "h2" ? "http2" : "http1", socket);
  });
  return sockets;
}

/** The same for a TLS socket and the socket below it, and different for any two connections of a port. */
function peerName(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
