import { AshlarError } from "../errors/index.ts";
import { Durability as DurabilityEnum } from "../gen/ashlar/v1/chunk_service_pb.js";
import type { Durability } from "../ports/index.ts";

const TO_WIRE: Readonly<Record<Durability, DurabilityEnum>> = {
  strict: DurabilityEnum.STRICT,
  batched: DurabilityEnum.BATCHED,
  os: DurabilityEnum.OS,
};

const FROM_WIRE: ReadonlyMap<DurabilityEnum, Durability> = new Map([
  [DurabilityEnum.STRICT, "strict"],
  [DurabilityEnum.BATCHED, "batched"],
  [DurabilityEnum.OS, "os"],
]);

/** @param durability absent: the receiver's default. */
export function encodeDurability(durability: Durability | undefined): DurabilityEnum {
  return durability === undefined ? DurabilityEnum.UNSPECIFIED : TO_WIRE[durability];
}

/** @returns `undefined` for "the receiver's default". @throws {AshlarError} INVALID_ARGUMENT for a value that this version does not know. */
export function decodeDurability(value: DurabilityEnum): Durability | undefined {
  if (value === DurabilityEnum.UNSPECIFIED) return undefined;
  const durability = FROM_WIRE.get(value);
  if (durability !== undefined) return durability;
  throw new AshlarError("INVALID_ARGUMENT", `durability ${value} is unknown`, { details: { field: "durability" } });
}
