import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { boundedMessages } from "./bounded-messages.ts";
import { rpcRefusal } from "./rpc-refusal.ts";
import { shortenedErrors } from "./shortened-errors.ts";

/** An RPC with what it may hold of its request, in bytes. */
export type BoundedHandler = UniversalHandler & { readonly heldMaxBytes: number };

/** What the messages of an RPC may have. */
export interface MessageBounds {
  /** Fields of one message, nested ones included. */
  readonly fieldsMax: number;
  /** The most of a request's messages that the handler holds at once, in bytes. */
  readonly heldMaxBytes: number;
}

/**
 * Holds an RPC to what one message may have, before it is decoded, and its answers to quoting little of what came in.
 * JSON is held to it by its decoder.
 */
export function boundedHandler(handler: UniversalHandler, { fieldsMax, heldMaxBytes }: MessageBounds): BoundedHandler {
  const { method } = handler;
  const bounded = async (request: UniversalServerRequest): ReturnType<UniversalHandler> => {
    const type = request.header.get("content-type") ?? "";
    const { body } = request;
    if (!isStream(body)) return shortenedErrors(await handler(request));
    const enveloped = type !== "application/proto";
    const messages = boundedMessages(body, {
      framing: isBinary(type) ? { desc: method.input, fieldsMax, enveloped } : undefined,
      refuse: (error) => rpcRefusal(request.contextValues, error),
    });
    return shortenedErrors(await handler({ ...request, body: messages }));
  };
  return Object.assign(bounded, handler, { heldMaxBytes });
}

const isBinary = (type: string): boolean => type.startsWith("application/") && !type.includes("json");

function isStream(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
