import { AshlarError } from "@ashlar/sdk/errors";

/** Why a command was ended from outside, with the exit code that follows. */
export class Interruption extends AshlarError {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super("CANCELED", message);
    this.exitCode = exitCode;
  }
}
