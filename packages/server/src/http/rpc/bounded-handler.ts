import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { boundedMessages } from "../bounds/bounded-messages.ts";
import { rpcRefusal } from "./rpc-refusal.ts";

/** An RPC's handler, and how many bytes of its request it may hold. */
export type BoundedHandler = UniversalHandler & { readonly heldMaxBytes: number };

/** Bounds of an RPC's messages. */
export interface MessageBounds {
  /** Fields of one message, nested ones included. */
  readonly fieldsMax: number;
  /** Long messages take turns, because decoding them takes time. */
  readonly inTurns: boolean;
  /** The most of a request's messages that the handler holds at once, in bytes. */
  readonly heldMaxBytes: number;
}

/**
 * Checks the messages of an RPC against its bounds before they are decoded; for JSON the decoder does it. What the body throws reaches the handler as
 * an error of its protocol.
 */
export function boundedHandler(handler: UniversalHandler, bounds: MessageBounds): BoundedHandler {
  const { method } = handler;
  const { fieldsMax, inTurns, heldMaxBytes } = bounds;
  const bounded = async (request: UniversalServerRequest): ReturnType<UniversalHandler> => {
    // The library compares media types without regard to case.
    const type = (request.header.get("content-type") ?? "").toLowerCase();
    const { body } = request;
    if (!isStream(body)) return await handler(request);
    const enveloped = type !== "application/proto";
    const messages = boundedMessages(body, {
      framing: type.includes("json") ? undefined : { desc: method.input, fieldsMax, enveloped },
      inTurns,
      refuse: (error) => rpcRefusal(request.contextValues, error),
    });
    return await handler({ ...request, body: messages });
  };
  return Object.assign(bounded, handler, { heldMaxBytes });
}

function isStream(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
