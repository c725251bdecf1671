import { readFileSync } from "node:fs";
import { Application, Converter, ReflectionKind } from "typedoc";

const PACKAGES = ["sdk", "adapters", "server"];

/** What the packages export, from their package.json: sources by the name under which they are imported. */
const EXPORTS = Object.fromEntries(
  PACKAGES.flatMap((name) => {
    const { exports } = JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8"));
    return Object.entries(exports)
      .filter(([, target]) => target["ashlar-source"] !== undefined)
      .map(([subpath, target]) => [
        `@ashlar/${name}${subpath.slice(1)}`,
        `packages/${name}/${target["ashlar-source"].slice(2)}`,
      ]);
  }),
);

/** Calls modules by the names under which they are imported, instead of the paths of their sources. */
function importNames(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      const isSource = ([, source]) => source.replace(/^packages\/|(\/index)?\.ts$/g, "") === module.name;
      module.name = Object.entries(EXPORTS).find(isSource)?.[0] ?? module.name;
    }
  });
}

/**
 * Asks exported functions for a comment; typedoc's own "Function" would ask every method of every interface, too. Those of sdk/rpc are pairs of
 * encodeX and decodeX for each message, whose comments stand in the `.proto` files.
 */
function documentedFunctions(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    for (const declaration of project.getReflectionsByKind(ReflectionKind.Function)) {
      if (declaration.parent?.name === "@ashlar/sdk/rpc") continue;
      for (const signature of declaration.signatures ?? []) {
        if (!signature.hasComment()) app.logger.validationWarning(`${signature.getFriendlyFullName()} has no comment`);
      }
    }
  });
}

/** @type {Partial<import("typedoc").TypeDocOptions>} */
export default {
  name: "Ashlar",
  entryPoints: Object.values(EXPORTS),
  tsconfig: "tsconfig.docs.json",
  out: "docs/api",
  readme: "none",
  disableSources: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  githubPages: false,
  plugin: [importNames, documentedFunctions],
  packagesRequiringDocumentation: PACKAGES.map((name) => `@ashlar/${name}`),
  requiredToBeDocumented: ["Enum", "Variable", "Class", "Interface", "TypeAlias"],
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  validation: { notExported: true, invalidLink: true, notDocumented: true },
};
