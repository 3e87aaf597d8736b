// What time it is in the document's world. Neither the browser's clock nor the document's is trusted to agree with the
// other: only differences of the browser's clock are used, and only to add to what the server said.

import type { Balance } from "./generated";

/** A balance, and when its numbers were new by the browser's clock. */
export interface Held {
  balance: Balance;
  /** Milliseconds of the browser's clock; receipt minus the age at receipt. */
  freshAt: number;
}

/** Ages from one source differ by rounding; beyond this the browser's clock was set, or slept. */
const SAME = 2_500;

/** Notes when a balance was new. One that is held already keeps its instant, lest ages jump by a second to and fro. */
export function hold(balance: Balance, ageInSeconds: number, receivedAt: number, before: Held | null): Held {
  const freshAt = receivedAt - ageInSeconds * 1000;
  const isSame = before !== null && before.balance.fetchedAt === balance.fetchedAt;
  return { balance, freshAt: isSame && Math.abs(before.freshAt - freshAt) < SAME ? before.freshAt : freshAt };
}

/** Milliseconds since OpenRouter gave the numbers; never below nothing. */
export function age(held: Held, browserNow: number): number {
  return Math.max(browserNow - held.freshAt, 0);
}

/** Now, in the document's time. */
export function documentNow(held: Held, browserNow: number): number {
  return Date.parse(held.balance.fetchedAt) + age(held, browserNow);
}

/**
 * Whether a balance tells less than the one that is held: an earlier answer, or the same one from before it was known
 * that it could not be renewed.
 */
export function isOlder(balance: Balance, held: Held | null): boolean {
  if (held === null) return false;
  const [its, ours] = [Date.parse(balance.fetchedAt), Date.parse(held.balance.fetchedAt)];
  return its < ours || (its === ours && held.balance.stale && !balance.stale);
}
