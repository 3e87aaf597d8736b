// Words of the table of every limit: in which order, and until when each lasts.

import { shortly } from "./format";
import type { Account, Balance, Budget } from "./generated";
import { KEY_LIMIT } from "./scopes";

/** When a budget, or the account's credit, runs out, for a column: `in 73 d at the latest`, "spent", "lasts" or "not known". */
export function limitRunOut(limit: Budget | Account, balance: Balance, now: number): string {
  if (limit.remaining <= 0) return "limit" in limit ? "spent" : "used up";
  if (limit.runsOutAt !== null) {
    const left = Date.parse(limit.runsOutAt) - now;
    return `${left > 0 ? `in ${shortly(left)}` : "about now"}${limit.isUpperBound ? " at the latest" : ""}`;
  }
  return "limit" in limit && isForecastKnown(limit, balance) ? "lasts" : "not known";
}

const OWN_SCOPES = new Set([KEY_LIMIT, "api_key", "workspace_default_key"]);
const PERIODS = new Set<string | null>(["daily", "weekly", "monthly"]);

/** Whether the document tells a budget that lasts from one of which nothing is known; both have no run-out. */
function isForecastKnown(budget: Budget, balance: Balance): boolean {
  if (budget.isLimiting && balance.limitedBy === balance.pace?.scope) return true;
  if (!OWN_SCOPES.has(budget.scope)) return PERIODS.has(budget.resetPeriod) && budget.resetsAt !== null;
  const { usageDaily, usageWeekly, usageMonthly, byok } = balance;
  const isCounted = (usage: number | null, byokUsage: number | null | undefined) =>
    usage !== null && (!budget.includeByok || (byokUsage ?? null) !== null);
  return isCounted(usageDaily, byok?.usageDaily) || isCounted(usageWeekly, byok?.usageWeekly) || isCounted(usageMonthly, byok?.usageMonthly);
}

/** The budgets, the first to run out first: spent ones, then by run-out, then those that last; equals as OpenRouter enforces them. */
export function firstToRunOut(budgets: Budget[]): Budget[] {
  const rank = ({ remaining, runsOutAt }: Budget) => (remaining <= 0 ? -Infinity : runsOutAt === null ? Infinity : Date.parse(runsOutAt));
  return [...budgets].sort((one, other) => (rank(one) === rank(other) ? 0 : rank(one) - rank(other)));
}

/** Why the table of limits ends without the account's credit; null where the credit is known, or a notice says it. */
export function whyNoCredit(balance: Balance): string | null {
  if (balance.account !== null || balance.accountError !== null || balance.budgets.length === 0) return null;
  return "not known: OpenRouter did not tell it to this key";
}
