// The log-in form, for a server that was started with a token.

import { useEffect, useRef, useState } from "preact/hooks";
import { logIn, Refusal } from "./api";
import { openEnded } from "./format";

export function Login({ onLogIn }: { onLogIn: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [trouble, setTrouble] = useState("");
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    // Only where nothing else has it: the form may come while somebody is at the theme switch.
    if (document.activeElement === document.body) field.current?.focus();
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    const token = field.current?.value ?? "";
    if (isBusy || token === "") return;
    setBusy(true);
    setTrouble("");
    try {
      await logIn(token);
      onLogIn();
    } catch (error) {
      setTrouble(inWords(error));
      field.current?.select();
      field.current?.focus();
    } finally {
      setBusy(false);
    }
  };

  return (
    <form class="card login" data-testid="login" onSubmit={(event) => void submit(event)}>
      <h2>Log in</h2>
      {/* For password managers, which keep nothing without a name. */}
      <input type="text" autocomplete="username" value="orcredit" readOnly hidden />
      <label for="token">Token</label>
      <input
        ref={field}
        id="token"
        type="password"
        autocomplete="current-password"
        required
        aria-describedby="token-help token-trouble"
        aria-invalid={trouble !== ""}
      />
      <p id="token-help" class="soft">
        The one that orcredit was started with.
      </p>
      <p id="token-trouble" class="trouble" role="alert" data-testid="login-error">
        {trouble}
      </p>
      <button type="submit" class="button strong" aria-busy={isBusy}>
        {isBusy ? "Logging in…" : "Log in"}
      </button>
    </form>
  );
}

/** What went wrong, and what to do. */
export function inWords(error: unknown): string {
  if (!(error instanceof Refusal)) return "This page cannot reach orcredit. Is it still running?";
  if (error.status === 401) return "That is not the token.";
  if (error.status !== 429) return `${openEnded(error.problem.error)}. ${error.problem.hint}`.trim();
  const wait = error.retryAfter;
  const when = wait === null ? "later" : wait >= 120 ? `in ${Math.ceil(wait / 60)} minutes` : `in ${wait} second${wait === 1 ? "" : "s"}`;
  return `Too many tries. Try again ${when}.`;
}
