import { AshlarError } from "../errors/index.ts";
import type { Durability } from "../ports/index.ts";

/**
 * The proto3 JSON form, written by hand: 64-bit integers may be strings, bytes are base64, enums are names, and members that have their default
 * value are absent. We send 64-bit integers as plain numbers, which every parser also takes.
 */
export interface JsonMessage {
  readonly [member: string]: unknown;
}

/** The value as a message; an empty message for anything that is not an object. */
export function messageFrom(value: unknown): JsonMessage {
  return typeof value === "object" && value !== null ? (value as JsonMessage) : {};
}

/** A member that is a message. */
export function messageOf(message: JsonMessage, member: string): JsonMessage {
  return messageFrom(message[member]);
}

/** A repeated member that holds messages. */
export function listOf(message: JsonMessage, member: string): readonly JsonMessage[] {
  const value = message[member];
  return Array.isArray(value) ? value.map(messageFrom) : [];
}

/** A text; "" where absent. */
export function textOf(message: JsonMessage, member: string): string {
  const value = message[member];
  return typeof value === "string" ? value : "";
}

/** A text that is never empty, because it names something. @throws {AshlarError} INTERNAL if it is empty: the server breaks the contract. */
export function nameOf(message: JsonMessage, member: string): string {
  return textOf(message, member) || lacks(member);
}

export function lacks(member: string): never {
  throw new AshlarError("INTERNAL", `the answer lacks ${member}`);
}

/** A text; "" means not set. */
export function optionalTextOf(message: JsonMessage, member: string): string | undefined {
  return textOf(message, member) || undefined;
}

/** An integer; 0 where absent. @throws {AshlarError} INVALID_ARGUMENT beyond 2^53 - 1. */
export function integerOf(message: JsonMessage, member: string): number {
  const value = Number(message[member] ?? 0);
  if (Number.isSafeInteger(value)) return value;
  throw new AshlarError("INVALID_ARGUMENT", `${member} is beyond 2^53 - 1`, { details: { field: member } });
}

/** Names of enum values begin with the enum's name: `strict` is `DURABILITY_STRICT`. */
export function durabilityName(durability: Durability | undefined): string | undefined {
  return durability && `DURABILITY_${durability.toUpperCase()}`;
}

export function durabilityOf(message: JsonMessage): Durability {
  const name = textOf(message, "durability").slice("DURABILITY_".length).toLowerCase();
  return name === "batched" || name === "os" ? name : "strict";
}

export function bytesFromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  // A loop: Uint8Array.from() with a function takes ten times as long, and every read of a small object calls this.
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

export function base64FromBytes(bytes: Uint8Array): string {
  let binary = "";
  // In pieces, because the bytes are arguments on the stack.
  for (let from = 0; from < bytes.length; from += 8192)
    binary += String.fromCharCode(...bytes.subarray(from, from + 8192));
  return btoa(binary);
}
