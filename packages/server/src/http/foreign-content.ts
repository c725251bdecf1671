/**
 * Headers of answers that carry what somebody uploaded.
 *
 * A browser must take it for nothing but what its content type says, and where it is opened as a page it gets an origin of its own, runs no script and
 * loads nothing: an HTML or SVG file that a stranger uploaded could otherwise act as the store's origin. Pages that embed objects (images, videos,
 * downloads, fetch) are not touched, because the policy counts for documents only.
 */
export const FOREIGN_CONTENT_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  "x-content-type-options": "nosniff",
  "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
});
