import { type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** What is known of a field before it is decoded. */
export interface FieldShape {
  readonly name: string;
  /** The most items of a list, or entries of a map, in one message; `Infinity` where the proto files name none, and for what is neither. */
  readonly itemsMax: number;
  readonly kind: "single" | "list" | "map";
  /** Whether the field, or what it is a list or map of, is a number: JSON may write it as a text. */
  readonly isNumber: boolean;
  /** The message that the field is, or that it is a list or map of. */
  readonly message: (() => MessageShape) | undefined;
  /** The message that its bytes are in binary: the same as `message`, but for a map an entry. */
  readonly onWire: (() => MessageShape) | undefined;
}

/** What is known of a message before it is decoded: its fields by number and by their names in JSON. */
export interface MessageShape {
  readonly byNumber: ReadonlyMap<number, FieldShape>;
  readonly byName: ReadonlyMap<string, FieldShape>;
}

const known = new WeakMap<DescMessage, MessageShape>();

/** The shape of a message. Made once; nested shapes are made when they are first needed. */
export function messageShape(desc: DescMessage): MessageShape {
  const before = known.get(desc);
  if (before !== undefined) return before;
  const byNumber = new Map<number, FieldShape>();
  const byName = new Map<string, FieldShape>();
  for (const field of desc.fields) {
    const shape = fieldShape(field);
    byNumber.set(field.number, shape);
    byName.set(field.name, shape).set(field.jsonName, shape);
  }
  const shape = { byNumber, byName };
  known.set(desc, shape);
  return shape;
}

const NUMBERS_NOT: ReadonlySet<ScalarType> = new Set([ScalarType.STRING, ScalarType.BYTES, ScalarType.BOOL]);

function fieldShape(field: DescField): FieldShape {
  const { message, scalar, fieldKind } = field;
  const inner = message && ((): MessageShape => messageShape(message));
  const shape = {
    name: field.jsonName,
    itemsMax: itemsMax(field),
    isNumber: (scalar !== undefined && !NUMBERS_NOT.has(scalar)) || field.enum !== undefined,
    message: inner,
    onWire: inner,
  };
  if (fieldKind === "list") return { ...shape, kind: "list" };
  if (fieldKind !== "map") return { ...shape, kind: "single" };
  const entry = entryShape({ ...shape, kind: "single", itemsMax: Number.POSITIVE_INFINITY });
  return { ...shape, kind: "map", onWire: () => entry };
}

/** An entry of a map is a message of a key (1) and a value (2). */
const MAP_VALUE = 2;

const entryShape = (value: FieldShape): MessageShape => ({
  byNumber: new Map([[MAP_VALUE, value]]),
  byName: new Map(),
});

/** `repeated.max_items` or `map.max_pairs` of a field's rules. */
function itemsMax(field: DescField): number {
  const { type } = getOption(field, fieldRules);
  if (type.case === "repeated" && type.value.maxItems > 0n) return Number(type.value.maxItems);
  if (type.case === "map" && type.value.maxPairs > 0n) return Number(type.value.maxPairs);
  return Number.POSITIVE_INFINITY;
}
