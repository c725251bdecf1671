import manifest from "../../package.json" with { type: "json" };

/** Release of the server package, from its package.json: builds have it inside. */
export const SOFTWARE_VERSION: string = manifest.version;
