import type { MessageInitShape } from "@bufbuild/protobuf";
import { AshlarError } from "../errors/index.ts";
import type {
  Condition as ConditionMessage,
  ConditionSchema,
  ObjectAttributes as ObjectAttributesMessage,
  ObjectAttributesSchema,
} from "../gen/ashlar/v1/object_pb.js";
import type { CommitCondition, ObjectAttributes, WriteCondition } from "../ports/index.ts";
import { decodeText } from "./integers.ts";

const HEADERS = [
  "contentType",
  "cacheControl",
  "contentDisposition",
  "contentEncoding",
  "contentLanguage",
  "expires",
] as const;

/** Attributes for the wire; a member that is not set is sent as empty text. */
export function encodeAttributes(attributes: ObjectAttributes): MessageInitShape<typeof ObjectAttributesSchema> {
  const init: MessageInitShape<typeof ObjectAttributesSchema> = { metadata: { ...attributes.metadata } };
  for (const name of HEADERS) init[name] = attributes[name] ?? "";
  return init;
}

/** Attributes from the wire; members that are not set are left out. An absent message has no attributes. */
export function decodeAttributes(message: ObjectAttributesMessage | undefined): ObjectAttributes {
  const attributes: { -readonly [Name in keyof ObjectAttributes]: ObjectAttributes[Name] } = {};
  if (message === undefined) return attributes;
  for (const name of HEADERS) if (message[name] !== "") attributes[name] = message[name];
  if (Object.keys(message.metadata).length > 0) attributes.metadata = { ...message.metadata };
  return attributes;
}

/** A condition for the wire. Lists of etags and dates have no form there: they are sent as an empty condition, which the gateway refuses. */
export function encodeCondition(
  condition: CommitCondition | undefined,
): MessageInitShape<typeof ConditionSchema> | undefined {
  if (condition === undefined) return undefined;
  return { ifMatch: condition.ifMatch ?? "", ifNoneMatch: condition.ifNoneMatch ?? "" };
}

/**
 * A condition from the wire; `undefined` if there is none.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for an empty condition: the caller wanted to guard its write, but had no etag.
 */
export function decodeCondition(message: ConditionMessage | undefined): WriteCondition | undefined {
  if (message === undefined) return undefined;
  if (message.ifMatch === "" && message.ifNoneMatch === "") {
    throw new AshlarError("INVALID_ARGUMENT", "a condition has an etag or * in if_match or if_none_match", {
      details: { field: "condition" },
    });
  }
  return { ifMatch: decodeText(message.ifMatch), ifNoneMatch: decodeText(message.ifNoneMatch) };
}
