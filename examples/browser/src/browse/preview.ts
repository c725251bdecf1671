import { KIB, MIB, type ObjectClient, type ObjectInfo } from "@ashlar/sdk";
import { ANSWER_MS } from "../answer-limit.ts";

/** What can be shown of an object. */
export type Preview =
  | { readonly kind: "image"; readonly info: ObjectInfo; readonly blob: Blob }
  | { readonly kind: "text"; readonly info: ObjectInfo; readonly text: string; readonly isWhole: boolean }
  | { readonly kind: "none"; readonly info: ObjectInfo; readonly why: string };

const IMAGE_MAX_BYTES = 32 * MIB;
/** Only the beginning of a text is read. */
const TEXT_MAX_BYTES = 256 * KIB;
/** Types that an `<img>` shows. A picture in SVG cannot run scripts there. */
const IMAGE_TYPES = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml|x-icon|vnd\.microsoft\.icon)$/;
const TEXT_TYPES = /^(text\/|application\/(json|xml|javascript|toml|yaml|x-sh|x-yaml|sql))/;
const TEXT_NAMES = /\.(txt|md|json|ts|js|mjs|css|html?|ya?ml|toml|csv|log|sh|py|rs|go|xml|proto|sql)$/i;

/** Reads as much of an object as its preview needs. */
export async function loadPreview(
  client: ObjectClient,
  ref: { readonly bucket: string; readonly key: string; readonly signal: AbortSignal },
): Promise<Preview> {
  const info = await client.headObject({ ...ref, timeoutMs: ANSWER_MS });
  if (info.sizeBytes === 0) return { kind: "none", info, why: "This file is empty." };
  const type = info.contentType ?? "";
  if (IMAGE_TYPES.test(type)) {
    if (info.sizeBytes > IMAGE_MAX_BYTES) return { kind: "none", info, why: "The picture is too large to show here." };
    const object = await client.getObject(ref);
    const bytes = (await object.bytes()) as Uint8Array<ArrayBuffer>;
    return { kind: "image", info, blob: new Blob([bytes], { type }) };
  }
  if (TEXT_TYPES.test(type) || TEXT_NAMES.test(ref.key)) {
    const object = await client.getObject({ ...ref, range: { offset: 0, length: TEXT_MAX_BYTES } });
    const text = await object.text();
    if (!isText(text))
      return { kind: "none", info, why: "There is no preview: this is no text, whatever its name says." };
    return { kind: "text", info, text, isWhole: object.length === info.sizeBytes };
  }
  return { kind: "none", info, why: "There is no preview for this kind of file." };
}

/** Whether bytes that were decoded as UTF-8 look like text. A text in an older encoding has a few characters that cannot be decoded. */
function isText(text: string): boolean {
  const undecoded = text.split("\uFFFD").length - 1;
  return !text.includes("\0") && undecoded * 5 <= text.length;
}
