// Dark and light: the system's, or the reader's own choice, which is remembered.

export type Choice = "system" | "light" | "dark";

const REMEMBERED_AS = "orcredit-theme";
const isSystemDark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

/** What was chosen last; where nothing can be remembered, the system's. */
export function chosen(): Choice {
  try {
    const choice = localStorage.getItem(REMEMBERED_AS);
    return choice === "light" || choice === "dark" ? choice : "system";
  } catch {
    return "system";
  }
}

let choice = chosen();

export function choose(next: Choice): void {
  choice = next;
  try {
    if (next === "system") localStorage.removeItem(REMEMBERED_AS);
    else localStorage.setItem(REMEMBERED_AS, next);
  } catch {
    // Then it holds until the page is closed.
  }
  apply();
}

/** Calls back when the colours have changed: charts are painted, and do not follow by themselves. */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function followTheme(): void {
  isSystemDark.addEventListener("change", apply);
  apply();
}

function apply(): void {
  const isDark = choice === "system" ? isSystemDark.matches : choice === "dark";
  document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
  for (const listener of listeners) listener();
}
