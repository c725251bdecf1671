import type { BucketHandle } from "@ashlar/sdk";
import { AshlarError, ERROR_CODES } from "@ashlar/sdk/errors";
import express, { type ErrorRequestHandler, type Express } from "express";
import { sendObject } from "./send-object.ts";
import { storeForm } from "./store-form.ts";
import { uploadPage } from "./upload-page.ts";

/** What the app is made of. */
export interface AppOptions {
  readonly files: BucketHandle;
  /** Largest file taken, in bytes. */
  readonly fileMaxBytes: number;
}

/** A page with an upload form, and the files that it took: `POST /files`, `GET` and `DELETE /files/<key>`. */
export function createApp({ files, fileMaxBytes }: AppOptions): Express {
  const app = express();
  app.get("/", async (_request, response) => {
    response.type("html").send(await uploadPage(files));
  });
  app.post("/files", async (request, response) => {
    const stored = await storeForm(request, { files, fileMaxBytes });
    // A form of a browser comes back to the page; a program is told what was stored.
    if (request.accepts(["json", "html"]) === "html") response.redirect(303, "/");
    else response.status(201).json(stored.map(({ key, sizeBytes, sha256 }) => ({ key, sizeBytes, sha256 })));
  });
  // express answers HEAD with the handler of GET.
  app.get("/files/*key", async (request, response) => {
    await sendObject(files.object(request.params.key.join("/")), request, response);
  });
  app.delete("/files/*key", async (request, response) => {
    await files.object(request.params.key.join("/")).delete();
    response.status(204).end();
  });
  app.use(() => {
    throw new AshlarError("OBJECT_NOT_FOUND", "there is nothing here");
  });
  app.use(answerError);
  return app;
}

/** Every error of the store has a code, and every code an HTTP status. Express knows an error handler by its four parameters. */
const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  // If an answer has begun, or the client is gone, no error can be sent.
  if (response.headersSent || response.destroyed) return void response.destroy();
  // What express itself refuses, for instance a path that is not UTF-8.
  const isRefused = error?.status >= 400 && error.status < 500;
  const { code, message } = isRefused
    ? new AshlarError("INVALID_ARGUMENT", "the request cannot be read")
    : AshlarError.from(error);
  // The details of an unexpected error go to the app's log, not to the client.
  if (code === "INTERNAL") console.error(error);
  const told = code === "INTERNAL" ? "something went wrong on this side" : message;
  response.status(ERROR_CODES[code].http).type("json").json({ code, message: told });
};
