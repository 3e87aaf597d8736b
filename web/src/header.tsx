// The header: name, theme, refresh, logout.

import { useState } from "preact/hooks";
import { type Choice, choose, chosen } from "./theme";

interface Actions {
  isRefreshing: boolean;
  /** Null where there is nothing to refresh. */
  onRefresh: (() => void) | null;
  /** Null where no login is needed. */
  onLogOut: (() => Promise<void>) | null;
}

export function Header({ isRefreshing, onRefresh, onLogOut }: Actions) {
  return (
    <header class="top">
      <h1>orcredit</h1>
      <div class="actions">
        <ThemeSwitch />
        {onRefresh !== null && (
          // Not "disabled" while it asks: the button would lose the focus.
          <button
            type="button"
            class="button"
            data-testid="refresh"
            aria-busy={isRefreshing}
            aria-disabled={isRefreshing}
            onClick={onRefresh}
          >
            <svg class={isRefreshing ? "spinning" : ""} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
              <path d="M13 8a5 5 0 1 1-1.6-3.7M13 1.8v3h-3" />
            </svg>
            <span>{isRefreshing ? "Refreshing…" : "Refresh"}</span>
          </button>
        )}
        {onLogOut !== null && <LogOut onLogOut={onLogOut} />}
      </div>
    </header>
  );
}

function LogOut({ onLogOut }: { onLogOut: () => Promise<void> }) {
  const [hasFailed, setFailed] = useState(false);
  return (
    <button
      type="button"
      class="button"
      data-testid="logout"
      onClick={() => void onLogOut().catch(() => setFailed(true))}
    >
      {hasFailed ? "Log out (failed, try again)" : "Log out"}
    </button>
  );
}

const CHOICES: [Choice, string, string][] = [
  ["system", "System colours", "M2.5 3h11v7.5h-11zM6 13.2h4"],
  ["light", "Light", "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13"],
  ["dark", "Dark", "M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z"],
];

function ThemeSwitch() {
  const [choice, setChoice] = useState(chosen);
  return (
    <fieldset class="segments" data-testid="theme-switch">
      <legend class="unseen">Colours</legend>
      {CHOICES.map(([value, label, picture]) => (
        <label key={value} title={label}>
          <input
            type="radio"
            name="theme"
            value={value}
            checked={choice === value}
            onChange={() => {
              choose(value);
              setChoice(value);
            }}
          />
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path d={picture} />
          </svg>
          <span class="unseen">{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
