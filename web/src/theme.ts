// Dark and light: the system's, or the reader's choice, which is stored.

export type Choice = "system" | "light" | "dark";

const STORAGE_KEY = "orcredit-theme";
const isSystemDark = matchMedia("(prefers-color-scheme: dark)");

/** What was chosen last; the system's where nothing can be stored. */
export function chosen(): Choice {
  try {
    const choice = localStorage.getItem(STORAGE_KEY);
    return choice === "light" || choice === "dark" ? choice : "system";
  } catch {
    return "system";
  }
}

let choice = chosen();

export function choose(next: Choice): void {
  choice = next;
  try {
    if (next === "system") localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // The choice then lasts until the page is closed.
  }
  apply();
}

export function followTheme(): void {
  isSystemDark.addEventListener("change", apply);
  apply();
}

function apply(): void {
  const isDark = choice === "system" ? isSystemDark.matches : choice === "dark";
  document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
}
