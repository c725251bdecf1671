import { KIB, MIB, type ObjectClient, type ObjectInfo } from "@ashlar/sdk";

/** What can be shown of an object. */
export type Preview =
  | { readonly kind: "image"; readonly info: ObjectInfo; readonly blob: Blob }
  | { readonly kind: "text"; readonly info: ObjectInfo; readonly text: string; readonly isWhole: boolean }
  | { readonly kind: "none"; readonly info: ObjectInfo; readonly why: string };

const IMAGE_MAX_BYTES = 32 * MIB;
/** Of a text, only its beginning is read. */
const TEXT_MAX_BYTES = 256 * KIB;
/** What an `<img>` shows. A picture in SVG cannot run scripts there. */
const IMAGE_TYPES = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml|x-icon|vnd\.microsoft\.icon)$/;
const TEXT_TYPES = /^(text\/|application\/(json|xml|javascript|toml|yaml|x-sh|x-yaml|sql))/;
const TEXT_NAMES = /\.(txt|md|json|ts|js|mjs|css|html?|ya?ml|toml|csv|log|sh|py|rs|go|xml|proto|sql)$/i;

/** Reads as much of an object as its preview needs. */
export async function loadPreview(
  client: ObjectClient,
  ref: { readonly bucket: string; readonly key: string; readonly signal: AbortSignal },
): Promise<Preview> {
  const info = await client.headObject(ref);
  const type = info.attributes.contentType ?? "";
  if (IMAGE_TYPES.test(type)) {
    if (info.sizeBytes > IMAGE_MAX_BYTES) return { kind: "none", info, why: "The picture is too large to show here." };
    const object = await client.getObject(ref);
    const bytes = (await object.bytes()) as Uint8Array<ArrayBuffer>;
    return { kind: "image", info, blob: new Blob([bytes], { type }) };
  }
  if (info.sizeBytes > 0 && (TEXT_TYPES.test(type) || TEXT_NAMES.test(ref.key))) {
    const object = await client.getObject({ ...ref, range: { offset: 0, length: TEXT_MAX_BYTES } });
    return { kind: "text", info, text: await object.text(), isWhole: object.length === info.sizeBytes };
  }
  return { kind: "none", info, why: "There is no preview for this kind of file." };
}
