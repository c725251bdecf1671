import { AshlarError } from "@ashlar/sdk/errors";
import { connectErrorFrom } from "@ashlar/sdk/rpc";
import type { DescMessage } from "@bufbuild/protobuf";
import { HTTP_LIMITS } from "./http-limits.ts";
import { addItem, createItemCount, enterField, type ItemCount } from "./item-count.ts";
import { endOfText, endOfWord, nameOf } from "./json-tokens.ts";
import { type FieldShape, messageShape } from "./message-shape.ts";

/**
 * Decodes the bytes of RPC messages in JSON, and checks the text with {@link assertJsonWithin}.
 *
 * @param fieldsMax members and elements of one message, nested ones included.
 */
export function boundedTextDecoder(desc: DescMessage, fieldsMax: number): Pick<TextDecoder, "decode"> {
  // Bytes that are no UTF-8 are refused: replaced by U+FFFD they would name another key than the one that was meant.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return {
    decode(bytes?: Uint8Array) {
      const json = decoder.decode(bytes);
      try {
        assertJsonWithin(json, { desc, fieldsMax });
      } catch (error) {
        throw connectErrorFrom(AshlarError.from(error)); // nothing after Connect's decoding translates errors
      }
      return json;
    },
  };
}

/** An object or array around the position. */
interface Level {
  /** Of an object whose fields are known. */
  readonly message: ItemCount | undefined;
  /** An object: a text at its beginning or after a comma is a name. */
  readonly named: boolean;
  /** The list or map whose items these are, with the message that it belongs to. */
  readonly items: { readonly of: ItemCount; readonly field: FieldShape } | undefined;
  /** The field of the next value; in a message, the field that was named last. */
  field: FieldShape | undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COLON = 0x3a;
/** Blanks and line ends. */
const SPACE = 0x20;

/**
 * Checks the JSON of a message before it is parsed: how deep it nests, how many values it has, how many items each of its lists has, and how long its
 * numbers are, also those written as texts. Everything else is left to the parser. Texts are skipped with a native search, so that megabytes of
 * base64 cost little.
 *
 * @throws {AshlarError} INVALID_ARGUMENT.
 */
export function assertJsonWithin(
  json: string,
  { desc, fieldsMax }: { readonly desc: DescMessage; readonly fieldsMax: number },
): void {
  const depthMax = HTTP_LIMITS.MESSAGE_DEPTH_MAX.value;
  const levels: Level[] = [];
  let level: Level | undefined;
  let values = 0;
  let nameNext = false;

  const countValue = (): void => {
    values++;
    if (values > fieldsMax) throw invalid(`this message has at most ${fieldsMax} values`);
  };
  const beginItem = (): void => {
    if (level?.items !== undefined) addItem(level.items.of, level.items.field);
  };
  const open = (named: boolean): void => {
    countValue();
    if (!(level?.named ?? true)) beginItem();
    level = level === undefined ? levelOf(named, rootOf(desc, named)) : inside(level, named);
    levels.push(level);
    if (levels.length > depthMax) throw invalid(`a message nests at most ${depthMax} deep`);
    nameNext = named;
  };
  const close = (): void => {
    levels.pop();
    level = levels.at(-1);
    nameNext = false;
  };
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index);
    if (code <= SPACE || code === COLON) continue;
    if (code === OPEN_LIST || code === OPEN_OBJECT) open(code === OPEN_OBJECT);
    else if (code === CLOSE_LIST || code === CLOSE_OBJECT) close();
    else if (code === COMMA) {
      countValue();
      nameNext = level?.named === true;
    } else {
      const isText = code === QUOTE;
      const start = isText ? index + 1 : index;
      const end = isText ? endOfText(json, start) : endOfWord(json, start, NUMBER_MAX + 1);
      index = isText ? end : end - 1;
      if (nameNext && level !== undefined) {
        nameNext = false;
        if (level.items !== undefined) beginItem();
        else if (level.message !== undefined) level.field = level.message.shape.byName.get(nameOf(json, start, end));
        continue;
      }
      if (level?.named === false) beginItem();
      if ((level?.field?.isNumber === true || !isText) && end - start > NUMBER_MAX) throw tooLong();
    }
  }
}

/** An object of a message, or something unknown. */
function levelOf(named: boolean, message: ItemCount | undefined): Level {
  return { message, named, items: undefined, field: undefined };
}

function rootOf(desc: DescMessage, named: boolean): ItemCount | undefined {
  return named ? createItemCount(messageShape(desc)) : undefined;
}

/** The level that an opening bracket begins. What does not fit the schema is unknown, and the decoder refuses it. */
function inside({ message, items, field }: Level, named: boolean): Level {
  if (field === undefined) return levelOf(named, undefined);
  if (items === undefined && message !== undefined && field.kind !== "single") {
    if (named !== (field.kind === "map")) return levelOf(named, undefined);
    return { message: undefined, named, items: { of: message, field }, field };
  }
  const of = items?.of ?? message;
  const inner = field.message?.();
  if (!named || of === undefined || inner === undefined) return levelOf(named, undefined);
  return levelOf(named, enterField(of, field, inner));
}

const NUMBER_MAX = HTTP_LIMITS.JSON_NUMBER_MAX.value;

const tooLong = (): AshlarError => invalid(`a number has at most ${NUMBER_MAX} characters`);

const invalid = (message: string): AshlarError => new AshlarError("INVALID_ARGUMENT", message);
