import type { ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";

/** The pictures of an app's users. */
export interface Avatars {
  /** Makes the bucket at the first start. */
  prepare(): Promise<void>;
  save(userId: string, image: Uint8Array): Promise<void>;
  /** The user's picture, or the placeholder if there is none or the store does not answer. */
  load(userId: string): Promise<Uint8Array>;
}

/** What users without a picture get. */
export const PLACEHOLDER: Uint8Array = new TextEncoder().encode("<svg xmlns='http://www.w3.org/2000/svg'/>");

/** The app's own module. It works with any store. */
export function createAvatars(store: ObjectClient): Avatars {
  const bucket = store.bucket("avatars");
  return {
    async prepare() {
      await bucket.create({ ifMissing: true });
    },
    async save(userId, image) {
      await bucket.object(userId).put(image, { contentType: "image/png" });
    },
    async load(userId) {
      try {
        return await bucket.object(userId).bytes();
      } catch (error) {
        if (AshlarError.is(error, "OBJECT_NOT_FOUND") || AshlarError.is(error, "NODE_UNAVAILABLE")) return PLACEHOLDER;
        throw error;
      }
    },
  };
}
