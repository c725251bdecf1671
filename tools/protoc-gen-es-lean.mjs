/**
 * protoc-gen-es without the import of buf/validate/validate.proto in the generated code.
 *
 * The rules stay in each descriptor as extension bytes, and @bufbuild/protovalidate reads them with its own copy of that
 * file. The import would add 13 KB (gzip) of descriptors to every browser bundle, and the SDK does not validate with them.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema } from "@bufbuild/protobuf/wkt";

const RULES_FILE = "buf/validate/validate.proto";

const request = fromBinary(CodeGeneratorRequestSchema, readFileSync(0));
for (const file of [...request.protoFile, ...request.sourceFileDescriptors]) {
  file.dependency = file.dependency.filter((name) => name !== RULES_FILE);
}
const run = spawnSync("protoc-gen-es", {
  input: toBinary(CodeGeneratorRequestSchema, request),
  stdio: ["pipe", "pipe", "inherit"],
  maxBuffer: 256 * 1024 * 1024,
});
if (run.error) throw run.error;
process.stdout.write(run.stdout);
process.exitCode = run.status ?? 1;
