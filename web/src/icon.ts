// The tab: the amount left in its title, the level in its icon.

import type { Level } from "./generated";
import { amountInWords, mainBudget } from "./level";
import { isOld, type Known } from "./stream";

const COLOURS: Record<Level, string> = { ok: "#2f9e58", low: "#e0a100", exhausted: "#e03131", unlimited: "#3b82f6" };
const GREY = "#868e99";

/** `$158.61 · orcredit` */
export function title(known: Known): string {
  if (known.isLoginNeeded) return "Log in · orcredit";
  if (known.held === null) return "orcredit";
  return `${amountInWords(known.held.balance)}${isOld(known) ? " (stale)" : ""} · orcredit`;
}

/** A ring, as full as what is left, in the level's colour; grey where nothing is known. */
export function icon(known: Known): string {
  const balance = known.held?.balance;
  const colour = balance === undefined ? GREY : COLOURS[balance.level];
  const budget = balance === undefined ? null : mainBudget(balance);
  // Whole percents, so that the icon is not drawn anew for every cent.
  const left = budget === null ? 100 : Math.round(Math.min(Math.max(budget.percentRemaining, 0), 100));
  const ring = (stroke: string, more: string) =>
    `<circle cx="16" cy="16" r="11" fill="none" stroke="${stroke}" stroke-width="8"${more}/>`;
  const part = ring(colour, ` pathLength="100" stroke-dasharray="${left} 100" transform="rotate(-90 16 16)"`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ring(`${colour}55`, "")}${left > 0 ? part : ""}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

export function showInTab(known: Known): void {
  const words = title(known);
  if (document.title !== words) document.title = words;
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const picture = icon(known);
  if (link !== null && link.getAttribute("href") !== picture) link.setAttribute("href", picture);
}
