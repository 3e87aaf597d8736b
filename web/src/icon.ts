// The tab: the amount left in its title, the level in its icon.

import { type Ring, ringOf } from "./ring";
import { isOld, type View } from "./state";
import { amountInWords, percentLeft } from "./words";

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
