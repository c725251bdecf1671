import {
  create,
  type DescFile,
  type DescMessage,
  type DescService,
  isMessage,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** Extension number of the options of buf/validate/validate.proto, the same for fields, oneofs and messages. */
const RULES_EXTENSION = 1159;

/** The proto files of some services with everything that they import. */
export interface DescribedFiles {
  /** A file's serialised descriptor and those of all its imports, itself first; `undefined` if there is no such file. */
  withImports(fileName: string): readonly Uint8Array[] | undefined;
  /** Name of the file that declares a message, enum, service, method, field, extension or enum value by its full name. */
  fileOf(symbol: string): string | undefined;
  /** Name of the file that extends a message with a field number. */
  fileOfExtension(messageName: string, fieldNumber: number): string | undefined;
  /** Numbers of all extensions of a message, ascending; `undefined` if the message is unknown. */
  extensionNumbers(messageName: string): readonly number[] | undefined;
}

/** Collects files and symbols once; answers from maps. */
export function describeFiles(services: readonly DescService[]): DescribedFiles {
  const files = new Map<string, FileDescriptorProto>();
  const symbols = new Map<string, string>();
  const extensions = new Map<string, Map<number, string>>();
  const add = (file: DescFile): void => {
    const descriptor = completeDescriptor(file);
    if (files.has(descriptor.name)) return;
    files.set(descriptor.name, descriptor);
    indexSymbols(file, descriptor.name, symbols);
    for (const extension of file.extensions) {
      const known = extensions.get(extension.extendee.typeName) ?? new Map<number, string>();
      extensions.set(extension.extendee.typeName, known.set(extension.number, descriptor.name));
    }
    for (const dependency of file.dependencies) add(dependency);
    if (descriptor.dependency.includes(file_buf_validate_validate.proto.name)) add(file_buf_validate_validate);
  };
  for (const service of services) add(service.file);
  // Any caller may ask for them, so each is serialised once, when it is first asked for.
  const serialised = new Map<string, Uint8Array>();
  const answers = new Map<string, readonly Uint8Array[]>();
  const serialise = (name: string): readonly Uint8Array[] => {
    const file = files.get(name);
    if (file === undefined) return [];
    const bytes = serialised.get(name) ?? toBinary(FileDescriptorProtoSchema, file);
    serialised.set(name, bytes);
    return [bytes];
  };
  return {
    withImports(fileName) {
      if (!files.has(fileName)) return undefined;
      const answer = answers.get(fileName) ?? [...namesWithImports(files, fileName)].flatMap(serialise);
      answers.set(fileName, answer);
      return answer;
    },
    fileOf: (symbol) => symbols.get(symbol),
    fileOfExtension: (messageName, fieldNumber) => extensions.get(messageName)?.get(fieldNumber),
    extensionNumbers(messageName) {
      const numbers = extensions.get(messageName);
      if (numbers === undefined) return symbols.has(messageName) ? [] : undefined;
      return [...numbers.keys()].sort((a, b) => a - b);
    },
  };
}

function namesWithImports(files: ReadonlyMap<string, FileDescriptorProto>, fileName: string): ReadonlySet<string> {
  const names = new Set<string>([fileName]);
  // A set is iterated in order of insertion, additions during the loop included.
  for (const name of names) for (const dependency of files.get(name)?.dependency ?? []) names.add(dependency);
  return names;
}

/**
 * A file's descriptor with its real name and imports. Generated code leaves the import of the validation rules out (they stay as unknown option
 * fields), and a client that resolves options needs it.
 */
function completeDescriptor(file: DescFile): FileDescriptorProto {
  const rulesFile = file_buf_validate_validate.proto.name;
  if (file.proto.dependency.includes(rulesFile) || !hasRules(file.proto)) return file.proto;
  return create(FileDescriptorProtoSchema, { ...file.proto, dependency: [...file.proto.dependency, rulesFile] });
}

/** Whether any option anywhere in the message carries validation rules. */
function hasRules(message: Message): boolean {
  if (message.$unknown?.some((field) => field.no === RULES_EXTENSION)) return true;
  return Object.values(message).some((value) => {
    if (Array.isArray(value)) return value.some((item) => isMessage(item) && hasRules(item));
    return isMessage(value) && hasRules(value);
  });
}

function indexSymbols(file: DescFile, fileName: string, symbols: Map<string, string>): void {
  const name = (symbol: string): unknown => symbols.set(symbol, fileName);
  const scope = file.proto.package === "" ? "" : `${file.proto.package}.`;
  const addMessage = (message: DescMessage): void => {
    name(message.typeName);
    for (const field of message.fields) name(`${message.typeName}.${field.name}`);
    for (const inner of message.nestedMessages) addMessage(inner);
    for (const inner of message.nestedEnums) addEnum(inner.typeName, inner.values);
    for (const extension of message.nestedExtensions) name(extension.typeName);
  };
  const addEnum = (typeName: string, values: readonly { readonly name: string }[]): void => {
    name(typeName);
    // An enum value is a sibling of its enum.
    const parent = typeName.slice(0, typeName.lastIndexOf(".") + 1);
    for (const value of values) name(`${parent === "" ? scope : parent}${value.name}`);
  };
  for (const message of file.messages) addMessage(message);
  for (const declared of file.enums) addEnum(declared.typeName, declared.values);
  for (const extension of file.extensions) name(extension.typeName);
  for (const service of file.services) {
    name(service.typeName);
    for (const method of service.methods) name(`${service.typeName}.${method.name}`);
  }
}
