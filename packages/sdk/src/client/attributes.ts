import type { ObjectAttributes, WriteCondition } from "../ports/index.ts";

/** The attributes among an input's fields. */
export function attributesOf(input: ObjectAttributes): ObjectAttributes {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, metadata } = input;
  return { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, metadata };
}

/** An object's info as the client gives it: its attributes are where a call takes them, so that the result of a read can be written again. */
export type WithAttributes<Info extends { readonly attributes: ObjectAttributes }> = Omit<Info, "attributes"> &
  ObjectAttributes;

/** Info in the client's form. */
export function withAttributes<Info extends { readonly attributes: ObjectAttributes }>({
  attributes,
  ...info
}: Info): WithAttributes<Info> {
  return { ...attributes, ...info };
}

/** Whether any attribute is among an input's fields. */
export function hasAttributes(input: ObjectAttributes): boolean {
  return Object.values(attributesOf(input)).some((value) => value !== undefined);
}

/** The condition among an input's fields; `undefined` if there is none. */
export function conditionOf({ ifMatch, ifNoneMatch }: WriteCondition): WriteCondition | undefined {
  return ifMatch === undefined && ifNoneMatch === undefined ? undefined : { ifMatch, ifNoneMatch };
}
