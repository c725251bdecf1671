import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { SeededRandom } from "../support/seeded-random.ts";

/** Chooses one of the values; the choice comes from the seed. */
export function pick<Value>(random: SeededRandom, values: readonly Value[]): Value {
  return values[random.below(values.length)] as Value;
}

/** True in about `percent` of a hundred cases. */
export function chance(random: SeededRandom, percent: number): boolean {
  return random.below(100) < percent;
}

const TEXTS = [
  "",
  "k",
  "../..",
  "a/b/c",
  "\u0000",
  "ключ",
  "🪨",
  "%2F",
  "*",
  '"*"',
  "__proto__",
  "x".repeat(1100),
  "-",
  "sha256",
];
const INTEGERS = [0n, 1n, 2n, 5n, 255n, 65536n, 2n ** 31n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n];
const NUMBERS = [0, 1, -1, 0.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY];
const JUNK_JSON = [null, true, -1, 1.5, "9".repeat(40), "***", [], {}, "NaN", [[[]]], { __proto__: 1 }];
const DEPTH_MAX = 4;

/** Names that exist on the servers under test, so that some requests get past the first check. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  bucket: ["fuzz-0", "fuzz-1", "fuzz-2", "no-such-bucket", "Not_A_Name"],
  key: ["k0", "k1", "k2", "folder/k3", "ключ"],
};

function textFor(field: DescField, random: SeededRandom): string {
  const names = NAMES[field.name];
  return names !== undefined && chance(random, 85) ? pick(random, names) : pick(random, TEXTS);
}

function bytesFor(random: SeededRandom): Uint8Array {
  return random.bytes(pick(random, [0, 1, 31, 32, 32, 32, 33, 300, 5000]));
}

function scalarJson(field: DescField, scalar: ScalarType, random: SeededRandom): unknown {
  if (scalar === ScalarType.STRING) return textFor(field, random);
  if (scalar === ScalarType.BYTES) return Buffer.from(bytesFor(random)).toString("base64");
  if (scalar === ScalarType.BOOL) return chance(random, 50);
  if (scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT) return pick(random, NUMBERS);
  return String(pick(random, INTEGERS));
}

/** A message in JSON: of its type for the most part, with wrong types, unknown members and enum names in between. */
export function jsonMessage(desc: DescMessage, random: SeededRandom, depth = 0): unknown {
  const members: Record<string, unknown> = {};
  for (const field of desc.fields) {
    if (chance(random, depth === 0 ? 15 : 40)) continue;
    members[field.jsonName] = chance(random, 4) ? pick(random, JUNK_JSON) : fieldJson(field, random, depth);
  }
  if (chance(random, 3)) members[pick(random, ["unknown", "__proto__", "constructor"])] = pick(random, JUNK_JSON);
  return members;
}

function fieldJson(field: DescField, random: SeededRandom, depth: number): unknown {
  const one = (): unknown => {
    if (field.message !== undefined) return depth < DEPTH_MAX ? jsonMessage(field.message, random, depth + 1) : {};
    if (field.enum !== undefined)
      return pick(random, [...field.enum.values.map(({ name }) => name), "NO_SUCH", 99, -1]);
    return scalarJson(field, field.scalar ?? ScalarType.STRING, random);
  };
  if (field.fieldKind === "list") return Array.from({ length: random.below(4) }, one);
  if (field.fieldKind === "map") return { [pick(random, TEXTS)]: one() };
  return one();
}

/** The same in the binary form, written by hand, so that wire types may be wrong too. */
export function binaryMessage(desc: DescMessage, random: SeededRandom, depth = 0): Uint8Array {
  const writer = new BinaryWriter();
  for (const field of desc.fields) {
    if (chance(random, depth === 0 ? 15 : 40)) continue;
    const count = field.fieldKind === "list" || field.fieldKind === "map" ? random.below(4) : 1;
    for (let index = 0; index < count; index++) writeField(writer, field, random, depth);
  }
  if (chance(random, 4)) writer.tag(1 + random.below(2000), WireType.LengthDelimited).bytes(bytesFor(random));
  return writer.finish();
}

function writeField(writer: BinaryWriter, field: DescField, random: SeededRandom, depth: number): void {
  const { number, scalar, message } = field;
  if (chance(random, 2)) {
    writer.tag(number, pick(random, [WireType.Varint, WireType.Bit32, WireType.LengthDelimited])).raw(random.bytes(3));
  } else if (field.fieldKind === "map") {
    const entry = new BinaryWriter().tag(1, WireType.LengthDelimited).string(pick(random, TEXTS));
    writer
      .tag(number, WireType.LengthDelimited)
      .bytes(entry.tag(2, WireType.LengthDelimited).string(pick(random, TEXTS)).finish());
  } else if (message !== undefined) {
    const inner = depth < DEPTH_MAX ? binaryMessage(message, random, depth + 1) : new Uint8Array(0);
    writer.tag(number, WireType.LengthDelimited).bytes(inner);
  } else if (scalar === ScalarType.STRING) {
    writer.tag(number, WireType.LengthDelimited).string(textFor(field, random));
  } else if (scalar === ScalarType.BYTES) {
    writer.tag(number, WireType.LengthDelimited).bytes(bytesFor(random));
  } else if (scalar === ScalarType.DOUBLE) {
    writer.tag(number, WireType.Bit64).double(pick(random, NUMBERS));
  } else {
    writer.tag(number, WireType.Varint).uint64(pick(random, INTEGERS));
  }
}

/** Breaks bytes: flipped, cut, doubled, filled in. */
export function mutated(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const result = Buffer.from(bytes);
  const at = result.length === 0 ? 0 : random.below(result.length);
  switch (random.below(5)) {
    case 0:
      if (result.length > 0) result[at] = (result[at] ?? 0) ^ (1 << random.below(8));
      return result;
    case 1:
      return result.subarray(0, at);
    case 2:
      return Buffer.concat([result.subarray(0, at), random.bytes(1 + random.below(12)), result.subarray(at)]);
    case 3:
      return Buffer.concat([result, result]);
    default:
      result.fill(0xff, at, Math.min(result.length, at + 1 + random.below(10)));
      return result;
  }
}
