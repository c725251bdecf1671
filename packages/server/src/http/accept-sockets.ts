import type { Server } from "node:http";
import type { Socket } from "node:net";
import { addressOf } from "./connection.ts";
import { sniffProtocol } from "./protocol-sniffer.ts";

/** Options of {@link acceptSockets}. */
export interface AcceptOptions {
  readonly isEncrypted: boolean;
  /** Connections of one address; more are closed at once. */
  readonly perAddressMax: number;
  /** For the first bytes, or the TLS handshake, however they trickle. */
  readonly headersTimeoutMs: number;
  readonly dispatch: (protocol: "http1" | "http2", socket: Socket) => void;
}

/**
 * Takes the connections of a port until their protocol is known.
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

/** A TLS socket and the socket below it have this in common, and no two connections of a port. */
function peerName(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
