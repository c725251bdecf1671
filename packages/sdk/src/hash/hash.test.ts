import { describe, expect, it } from "vitest";
import { encodeHex, sha256Sync, webCryptoHasher } from "./index.ts";

const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const abc = new TextEncoder().encode("abc");

describe("SHA-256", () => {
  it("agrees with the standard in every form", async () => {
    expect(encodeHex(sha256Sync(abc))).toBe(ABC);
    expect(encodeHex(await webCryptoHasher.digest(abc))).toBe(ABC);
    const hash = await webCryptoHasher.incremental();
    const piece = Uint8Array.of(0);
    for (const byte of abc) {
      piece[0] = byte; // bytes are read before update returns, so one buffer serves all
      hash.update(piece);
    }
    expect(encodeHex(hash.digest())).toBe(ABC);
  });

  it("of one stream does not disturb that of another", async () => {
    const [one, other] = [await webCryptoHasher.incremental(), await webCryptoHasher.incremental()];
    one.update(abc);
    other.update(abc.subarray(0, 1));
    other.update(abc.subarray(1));
    expect([encodeHex(one.digest()), encodeHex(other.digest())]).toEqual([ABC, ABC]);
  });
});
