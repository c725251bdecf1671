import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const PNPM = ["--yes", "pnpm@12.21.0"];

/** The repository's folder. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** The packages in the order in which they need each other. */
export const PACKAGES = ["sdk", "adapters", "server"] as const;

/** What is in a package's package.json, as far as tests look at it. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly engines?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest;
}

/** Packs the three packages as a registry would get them; packing builds what is stale or lacks declarations. @returns tarballs by package name. */
export async function packPackages(folder: string): Promise<ReadonlyMap<string, string>> {
  await mkdir(folder, { recursive: true });
  const tarballs = new Map<string, string>();
  for (const name of PACKAGES) {
    await run("npx", [...PNPM, "pack", "--pack-destination", folder], { cwd: join(ROOT, "packages", name) });
    const file = (await readdir(folder)).find((entry) => entry.startsWith(`ashlar-${name}-`));
    if (file === undefined) throw new Error(`no tarball of ${name}`);
    tarballs.set(`@ashlar/${name}`, join(folder, file));
  }
  return tarballs;
}

/** Files in a tarball, without the leading `package/`. */
export async function filesOf(tarball: string): Promise<readonly string[]> {
  const { stdout } = await run("tar", ["-tzf", tarball]);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/^package\//, ""));
}

/** A project outside the workspace with packed packages installed, and with third-party packages in the versions of this workspace. */
export async function createProject(
  folder: string,
  options: {
    readonly tarballs: ReadonlyMap<string, string>;
    readonly packages: readonly string[];
    readonly thirdParty: readonly string[];
  },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const local = (name: string): string => `file:${options.tarballs.get(name)}`;
  const versions = await Promise.all(
    options.thirdParty.map(async (name) => {
      const { version } = await readManifest(join(ROOT, "packages", "adapters", "node_modules", name));
      return [name, version] as const;
    }),
  );
  const dependencies = Object.fromEntries([...options.packages.map((name) => [name, local(name)]), ...versions]);
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module", private: true, dependencies }));
  // The packages depend on each other, and none of them is in a registry.
  const overrides = [...options.tarballs.keys()].map((name) => `  "${name}": "${local(name)}"`);
  await writeFile(join(folder, "pnpm-workspace.yaml"), `overrides:\n${overrides.join("\n")}\n`);
  await run("npx", [...PNPM, "install", "--prefer-offline", "--ignore-scripts"], {
    cwd: folder,
    env: { ...process.env, CI: "true" },
  });
}

/** Runs a module's text in a project. @returns what it printed. */
export async function runModule(folder: string, text: string): Promise<string> {
  const { stdout } = await run(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", text],
    {
      cwd: folder,
      env: { PATH: process.env.PATH },
    },
  );
  return stdout;
}
