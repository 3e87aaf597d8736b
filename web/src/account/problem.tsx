// Why something of the account cannot be shown, and what to do.

import { Linked } from "../linked";
import { wrong } from "./asked";

export function Problem({ error, again }: { error: unknown; again: () => void }) {
  const [what, hint] = wrong(error);
  return (
    <p class="account-problem" data-testid="account-problem">
      <strong>{what}.</strong> {hint !== "" && <Linked text={hint} />}{" "}
      <button type="button" class="button" onClick={again}>
        Try again
      </button>
    </p>
  );
}
