/** The prose of the tables of limits and error codes: for programs that print documentation, never for code that runs in a page. */
export { ERROR_CODE_DOCS } from "./errors/code-docs.ts";
export { LIMIT_DOCS, type LimitDoc } from "./limit-docs.ts";
