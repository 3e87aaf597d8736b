// What a screen reader announces: one sentence when something changed, and nothing when only time has passed.

import { openEnded, usd } from "./format";
import { amountInWords } from "./words";
import type { View } from "./state";

/** Announced when a refresh has ended without another announcement. */
export const REFRESHED = "Refreshed.";

/** The sentence for a step from one state to the next; null when nothing changed that is worth announcing. */
export function whatChanged(before: View, after: View): string | null {
  if (after.isLoginNeeded !== before.isLoginNeeded) return after.isLoginNeeded ? "A login is needed." : "Logged in.";
  if (after.unreachable !== null && before.unreachable === null) return "This page cannot reach orcredit.";
  if (after.problem !== null && before.problem?.error !== after.problem.error) return after.problem.error;
  // Another key's page is not a change of this key.
  const [old, now] = [before.name === after.name ? (before.held?.balance ?? null) : null, after.held?.balance ?? null];
  if (now === null) return null;
  if (now.stale && old?.stale !== true) return `OpenRouter does not answer: ${openEnded(now.staleReason ?? "why is not known")}.`;
  const isBack = before.unreachable !== null || before.problem !== null || old?.stale === true;
  const said: string[] = isBack && old !== null && !now.stale && after.unreachable === null ? ["The numbers are current again."] : [];
  const isOfOne = after.page === "key";
  if (isOfOne && (old === null || old.spendable !== now.spendable)) said.push(amountSentence(now.spendable, amountInWords(now)));
  if (isOfOne && old !== null && old.level !== now.level) said.push(`The level is ${now.level} now, it was ${old.level}.`);
  const isCurrent = !now.stale && after.unreachable === null && after.problem === null;
  if (said.length === 0 && before.isRefreshing && !after.isRefreshing && isCurrent) said.push(REFRESHED);
  return said.length > 0 ? said.join(" ") : null;
}

function amountSentence(spendable: number | null, words: string): string {
  return spendable === null ? `What can be spent: ${words}.` : `${usd(spendable)} can be spent.`;
}
