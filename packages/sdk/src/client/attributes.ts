import type { ObjectAttributes, WriteCondition } from "../ports/index.ts";

/** The attributes among an input's fields. */
export function attributesOf(input: ObjectAttributes): ObjectAttributes {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, metadata } = input;
  return { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, metadata };
}

/** The condition among an input's fields; `undefined` if there is none. */
export function conditionOf({ ifMatch, ifNoneMatch }: WriteCondition): WriteCondition | undefined {
  return ifMatch === undefined && ifNoneMatch === undefined ? undefined : { ifMatch, ifNoneMatch };
}
