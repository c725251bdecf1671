import type { Socket } from "node:net";

/** One accepted connection, as both protocols keep it. */
export interface Connection {
  readonly socket: Socket;
  /** The address that it counts for: see {@link addressOf}. */
  readonly address: string;
  /** A good key was seen on it. */
  isTrusted: boolean;
  /** Requests that run or wait for their turn. */
  requestCount: number;
  /** When it was accepted, or its last request ended, in ms of the listener's clock. Bytes that belong to no request do not count. */
  quietSinceMs: number;
}

/** The address that a connection counts for: an IPv4 address, or the first 64 bits of an IPv6 address, because one subscriber has all the rest. */
export function addressOf(socket: Pick<Socket, "remoteAddress">): string {
  const address = socket.remoteAddress ?? "";
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = (address.split("%", 1)[0] ?? "").split("::");
  const [first, last] = [head === "" ? [] : head.split(":"), tail === "" ? [] : tail.split(":")];
  const missing = address.includes("::") ? Math.max(0, 8 - first.length - last.length) : 0;
  return [...first, ...Array<string>(missing).fill("0"), ...last].slice(0, 4).join(":");
}
