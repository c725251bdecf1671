/**
 * Headers of answers that carry an uploaded object.
 *
 * A browser must take the object for what its content type says, and nothing else. Opened as a page, the object gets an origin of its own, runs no
 * script and loads nothing: otherwise an uploaded HTML or SVG object could act as the store's origin. Pages that embed objects (images, videos,
 * downloads, fetch) are not affected, because the policy applies to documents only.
 */
export const FOREIGN_CONTENT_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "x-content-type-options": "nosniff",
  "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
});
