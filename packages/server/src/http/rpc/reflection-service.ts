import { AshlarError } from "@ashlar/sdk/errors";
import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { type DescribedFiles, describeFiles } from "./described-files.ts";
import type { RpcRoutes } from "./rpc-handlers.ts";

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** Questions of one call: a client asks one for each service and file. Each answer is a hundred times larger than its question. */
const QUESTIONS_MAX = 256;

/**
 * Server reflection v1 and v1alpha, so that grpcurl and similar tools can call a server without its .proto files. v1alpha has the same messages under
 * an older name; Python's client and older tools know nothing else. Open to everybody: the contract is public.
 *
 * @param services what the server offers in addition to the standard services, which are listed too.
 */
export function reflectionRoutes(services: readonly DescService[]): RpcRoutes {
  const offered = [...services, Health, ServerReflection, ServerReflectionV1Alpha];
  const files = describeFiles(offered);
  async function* serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>) {
    let asked = 0;
    for await (const { host, messageRequest } of requests) {
      asked++;
      if (asked > QUESTIONS_MAX)
        throw new AshlarError("OVERLOADED", `one call asks at most ${QUESTIONS_MAX} questions`);
      const messageResponse = answer(messageRequest, offered, files);
      yield { validHost: host, originalRequest: { host, messageRequest }, messageResponse };
    }
  }
  return (router, options) => {
    router.service(ServerReflection, { serverReflectionInfo }, options.control());
    router.service(ServerReflectionV1Alpha, { serverReflectionInfo } as never, options.control());
  };
}

function answer(
  messageRequest: ServerReflectionRequest["messageRequest"],
  offered: readonly DescService[],
  files: DescribedFiles,
): Answer {
  switch (messageRequest.case) {
    case "listServices": {
      const service = offered.map(({ typeName }) => ({ name: typeName })).sort((a, b) => (a.name < b.name ? -1 : 1));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return fileAnswer(files, messageRequest.value, messageRequest.value);
    case "fileContainingSymbol":
      return fileAnswer(files, files.fileOf(messageRequest.value), messageRequest.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      const fileName = files.fileOfExtension(containingType, extensionNumber);
      return fileAnswer(files, fileName, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = files.extensionNumbers(messageRequest.value);
      if (numbers === undefined) return failure(Code.NotFound, `not found: ${messageRequest.value}`);
      const value = { baseTypeName: messageRequest.value, extensionNumber: [...numbers] };
      return { case: "allExtensionNumbersResponse", value };
    }
    case undefined:
      return failure(Code.InvalidArgument, "the request asks for nothing");
  }
}

function fileAnswer(files: DescribedFiles, fileName: string | undefined, asked: string): Answer {
  const fileDescriptorProto = fileName === undefined ? undefined : files.withImports(fileName);
  if (fileDescriptorProto === undefined) return failure(Code.NotFound, `not found: ${asked}`);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...fileDescriptorProto] } };
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
