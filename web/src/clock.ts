// What time it is in the document's world. Neither the browser's clock nor the document's is trusted to agree with the
// other: only differences of the browser's clock are used, and only to add to what the server said.

import type { Balance } from "./generated";

/** When a document's numbers were new: by OpenRouter's clock and by the browser's. */
export interface Dated {
  balance: Pick<Balance, "fetchedAt">;
  freshAt: number;
}

/** A balance, and when its numbers were new by the browser's clock. */
export interface Held {
  balance: Balance;
  /** Milliseconds of the browser's clock: receipt minus the age at receipt. */
  freshAt: number;
}

/** Notes when a balance was new; its age is in seconds, at the moment of receipt. */
export function hold(balance: Balance, ageInSeconds: number, receivedAt: number): Held {
  return { balance, freshAt: receivedAt - ageInSeconds * 1000 };
}

/** Milliseconds since OpenRouter gave the numbers; never negative. */
export function age(held: Pick<Dated, "freshAt">, browserNow: number): number {
  return Math.max(browserNow - held.freshAt, 0);
}

/** Now, in the document's time. */
export function documentNow(held: Dated, browserNow: number): number {
  return Date.parse(held.balance.fetchedAt) + age(held, browserNow);
}
