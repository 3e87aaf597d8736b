// The tab: the amount left in its title, the level in its icon.

import type { Level } from "./generated";
import { amountInWords, limitingBudget, needsAttention, percentLeft } from "./words";
import { isOld, type View } from "./state";

const COLOURS: Record<Level, string> = { ok: "#3b82f6", low: "#e03131", exhausted: "#e03131", unlimited: "#3b82f6" };
const AMBER = "#e0a100";
const GREY = "#868e99";

/** `$158.61 · 31.7% · orcredit`: the amount, and what is left of what limits it. */
export function title(view: View): string {
  if (view.isLoginNeeded) return "Log in · orcredit";
  if (view.held === null) return "orcredit";
  const left = percentLeft(view.held.balance);
  return `${amountInWords(view.held.balance)}${left === null ? "" : ` · ${left}`}${isOld(view) ? " (stale)" : ""} · orcredit`;
}

/** A ring, as full as what limits the key, in the level's colour; grey where nothing is known, or the numbers are old. */
export function icon(view: View): string {
  const balance = view.held?.balance;
  const colour = balance === undefined || isOld(view) ? GREY : needsAttention(balance) ? AMBER : COLOURS[balance.level];
  const budget = balance === undefined ? null : limitingBudget(balance);
  // Whole percents, so that the icon does not change with every cent.
  const left = budget === null ? 100 : Math.round(Math.min(Math.max(budget.percentRemaining, 0), 100));
  const ring = (stroke: string, more: string) =>
    `<circle cx="16" cy="16" r="11" fill="none" stroke="${stroke}" stroke-width="8"${more}/>`;
  const part = ring(colour, ` pathLength="100" stroke-dasharray="${left} 100" transform="rotate(-90 16 16)"`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ring(`${colour}55`, "")}${left > 0 ? part : ""}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

export function showInTab(view: View): void {
  const words = title(view);
  if (document.title !== words) document.title = words;
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const picture = icon(view);
  if (link !== null && link.getAttribute("href") !== picture) link.setAttribute("href", picture);
}
