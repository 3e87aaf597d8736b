// The price of one request or of a million tokens, exact enough to be compared.

import { usd } from "../format";

/** With four decimals below a dollar, as `orcredit activity` has it. */
export function price(amount: number | null): string {
  return amount !== null && amount >= 0.001 && amount < 1 ? `$${amount.toFixed(4)}` : usd(amount);
}
