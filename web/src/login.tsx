// The login form, for a server that was started with a token.

import { useEffect, useRef, useState } from "preact/hooks";
import { logIn, Refusal } from "./api";
import { openEnded } from "./format";
import "./styles/login.css";

export function Login({ onLogIn }: { onLogIn: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    // Only where nothing else has the focus: the form may appear while the theme switch is in use.
    if (document.activeElement === document.body) field.current?.focus();
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    const token = field.current?.value ?? "";
    if (isBusy || token === "") return;
    setBusy(true);
    setProblem("");
    try {
      await logIn(token);
      onLogIn();
    } catch (error) {
      setProblem(inWords(error));
      field.current?.select();
      field.current?.focus();
    } finally {
      setBusy(false);
    }
  };

  return (
    <form class="card login" data-testid="login" onSubmit={(event) => void submit(event)}>
      <h2>Log in</h2>
      {/* Password managers keep nothing without a user name. */}
      <input type="text" autocomplete="username" value="orcredit" readOnly hidden />
      <label for="token">Token</label>
      <input
        ref={field}
        id="token"
        type="password"
        autocomplete="current-password"
        required
        aria-describedby="token-help token-error"
        aria-invalid={problem !== ""}
      />
      <p id="token-help" class="soft">
        The one that orcredit was started with.
      </p>
      <p id="token-error" class="error" role="alert" data-testid="login-error">
        {problem}
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
  return `Too many attempts. Try again ${when}.`;
}
