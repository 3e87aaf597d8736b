// The tab: the amount left in its title, the level in its icon.

import type { Level } from "./generated";
import { amountInWords, mainBudget } from "./level";
import { isOld, type View } from "./state";

const COLOURS: Record<Level, string> = { ok: "#2f9e58", low: "#e0a100", exhausted: "#e03131", unlimited: "#3b82f6" };
const GREY = "#868e99";

/** `$158.61 · orcredit` */
export function title(view: View): string {
  if (view.isLoginNeeded) return "Log in · orcredit";
  if (view.held === null) return "orcredit";
  return `${amountInWords(view.held.balance)}${isOld(view) ? " (stale)" : ""} · orcredit`;
}

/** A ring, as full as what is left, in the level's colour; grey where nothing is known. */
export function icon(view: View): string {
  const balance = view.held?.balance;
  const colour = balance === undefined ? GREY : COLOURS[balance.level];
  const budget = balance === undefined ? null : mainBudget(balance);
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
