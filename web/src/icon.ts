// The tab: the amount left in its title, the level in its icon.

import type { Balance, Level } from "./generated";
import { amountInWords, limitingBudget, needsAttention, percentLeft } from "./words";
import { isOld, type View } from "./state";

const COLOURS: Record<Level, string> = { ok: "#3b82f6", low: "#e03131", exhausted: "#e03131", unlimited: "#3b82f6" };
const AMBER = "#e0a100";
const GREY = "#868e99";

/** A ring's colour, and how much of it is left, in percent. */
export interface Ring {
  colour: string;
  left: number;
}

/** `$8.00 · 8.0% · low · orcredit`: the amount, what is left of what limits it, and the level unless all is well. */
export function title(view: View): string {
  if (view.isLoginNeeded) return "Log in · orcredit";
  if (view.held === null) return "orcredit";
  const { balance } = view.held;
  const left = percentLeft(balance);
  const parts = [amountInWords(balance)];
  if (left !== null) parts.push(left);
  if (balance.warningLowBudget) parts.push(balance.level);
  return `${parts.join(" · ")}${isOld(view) ? " (stale)" : ""} · orcredit`;
}

/** A ring's colour, by the level, and how much of it is left, in percent; grey where nothing is known, or the numbers are old. */
export function ringOf(balance: Balance | null, areNumbersOld: boolean): Ring {
  const isGrey = balance === null || areNumbersOld;
  const colour = colourOf(isGrey ? null : balance.level, !isGrey && needsAttention(balance));
  const budget = balance === null ? null : limitingBudget(balance);
  // Whole percents, so that the icon does not change with every cent.
  const left = budget === null ? 100 : Math.round(Math.min(Math.max(budget.percentRemaining, 0), 100));
  return { colour, left: balance?.level === "exhausted" ? 0 : left };
}

/** Of a level; grey for none. */
export function colourOf(level: Level | null, needsAttention: boolean): string {
  return level === null ? GREY : needsAttention ? AMBER : COLOURS[level];
}

export function icon({ colour, left }: Ring): string {
  const ring = (stroke: string, more: string) =>
    `<circle cx="16" cy="16" r="11" fill="none" stroke="${stroke}" stroke-width="8"${more}/>`;
  const part = ring(colour, ` pathLength="100" stroke-dasharray="${left} 100" transform="rotate(-90 16 16)"`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ring(`${colour}55`, "")}${left > 0 ? part : ""}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** The pages of several keys tell the tab themselves. */
export function showInTab(view: View): void {
  if (view.page === "key" || view.isLoginNeeded) show(title(view), ringOf(view.held?.balance ?? null, isOld(view)));
}

export function show(words: string, ring: Ring): void {
  if (document.title !== words) document.title = words;
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const picture = icon(ring);
  if (link !== null && link.getAttribute("href") !== picture) link.setAttribute("href", picture);
}
