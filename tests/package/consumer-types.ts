import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { ROOT } from "./packed-project.ts";

const run = promisify(execFile);
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

const APP = `
import { createClient, gateway, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { httpTransport } from "@ashlar/sdk/transport/http";

const client: ObjectClient = createClient(gateway({ url: "http://127.0.0.1:1", transport: httpTransport() }));
const { contentType, sizeBytes } = await client.headObject({ bucket: "photos", key: "cat.jpg" });
const type: string | undefined = contentType;
console.log(type, sizeBytes.toFixed(), AshlarError.name);
await client.close();
`;

/** Compiles an app of the packed SDK with settings of its own. @returns what the compiler says. */
async function compile(project: string, compilerOptions: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = join(project, `types-${String(compilerOptions.moduleResolution)}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "app.ts"), APP);
  const shared = { noEmit: true, strict: true, target: "es2023", lib: ["es2023", "dom"], types: [] };
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      // Declarations are checked too: what they need must be in the program's own libraries, or be named by the declarations.
      compilerOptions: { ...shared, skipLibCheck: false, ...compilerOptions },
      files: ["app.ts"],
    }),
  );
  return await run(process.execPath, [TSC, "-p", folder, "--pretty", "false"]).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string }) => error.stdout ?? String(error),
  );
}

/** The packed declarations in programs with other settings than ours. */
export function defineConsumerTypes(project: () => string): void {
  describe("a TypeScript app", () => {
    test.each([
      ["bundler", "esnext"],
      ["node16", "node16"],
      ["nodenext", "nodenext"],
    ])(
      "compiles with moduleResolution %s, ES2023 and the DOM, and checks our declarations",
      {
        timeout: 120_000,
      },
      async (moduleResolution, module) => {
        expect(await compile(project(), { moduleResolution, module })).toBe("");
      },
    );

    test("compiles with the types of Node instead of the DOM", { timeout: 120_000 }, async () => {
      const node = { lib: ["es2023"], types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] };
      expect(await compile(project(), { moduleResolution: "nodenext", module: "nodenext", ...node })).toBe("");
    });

    test("with an old moduleResolution gets from the compiler the ones to set", {
      timeout: 120_000,
    }, async () => {
      const said = await compile(project(), {
        ...{ moduleResolution: "node10", module: "esnext", ignoreDeprecations: "6.0" },
      });
      for (const subpath of ["@ashlar/sdk", "@ashlar/sdk/errors", "@ashlar/sdk/transport/http"])
        expect(said).toContain(`Cannot find module '${subpath}'`);
      expect(said).toContain("Consider updating to 'node16', 'nodenext', or 'bundler'");
    });
  });
}
