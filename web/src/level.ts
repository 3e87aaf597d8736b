// Words and colours by level, from the document alone, by the terminal's rules.

import { instant, percent, scopeInWords, until, usd } from "./format";
import type { Balance, Budget, Level } from "./generated";
import { ACCOUNT_CREDIT, KEY_LIMIT } from "./scopes";

export type Colour = "green" | "yellow" | "red";

/** A key that expires sooner than this gets a note. */
const EXPIRY_NOTICE = 7 * 86_400_000;

/** The colour of a bar: red when the level is low or exhausted, else green above half, else yellow. */
export function barColour(percentRemaining: number, level: Level): Colour {
  if (level === "low" || level === "exhausted") return "red";
  return percentRemaining > 50 ? "green" : "yellow";
}

/** The level of one budget among several: the balance's is the worst of them all. */
export function budgetLevel(budget: Budget, balance: Balance): Level {
  if (budget.remaining <= 0) return "exhausted";
  return budget === lowBudget(balance) ? "low" : "ok";
}

/** The budget that is below the percentage that made the level low; of several of its scope the one with the least part left. */
function lowBudget(balance: Balance): Budget | null {
  const because = balance.lowBecause;
  if (because === null || !because.threshold.endsWith("%")) return null;
  return least(balance, because.scope, (budget) => budget.percentRemaining);
}

/** The budget that `limitedBy` names; budgets may share a scope. Null for the account's credit. */
export function limitingBudget(balance: Balance): Budget | null {
  const spent = balance.budgets.find((budget) => budget.scope === balance.limitedBy && budget.remaining <= 0);
  return spent ?? least(balance, balance.limitedBy, (budget) => budget.remaining);
}

/** The first of the budgets of a scope that have the least of something. */
function least(balance: Balance, scope: string | null, of: (budget: Budget) => number): Budget | null {
  const budgets = balance.budgets.filter((budget) => budget.scope === scope);
  return budgets.reduce<Budget | null>((first, budget) => (first === null || of(budget) < of(first) ? budget : first), null);
}

/** What is drawn large: the key's own limit; without one, the budget that limits the key; null where there is neither. */
export function mainBudget(balance: Balance): Budget | null {
  const own = balance.budgets.find((budget) => budget.scope === KEY_LIMIT);
  if (own !== undefined && balance.totalLimit !== null && balance.remaining !== null) {
    const [limit, remaining] = [balance.totalLimit, balance.remaining];
    const percentRemaining = balance.percentRemaining ?? own.percentRemaining;
    return { ...own, limit, remaining, spent: limit - remaining, percentRemaining };
  }
  return own ?? limitingBudget(balance) ?? balance.budgets[0] ?? null;
}

/** The amount, or the word in its place. */
export function amountInWords(balance: Balance): string {
  if (balance.spendable !== null) return usd(balance.spendable);
  return balance.accountError === null ? "unlimited" : "not known";
}

/** The sentence of the warning; null while all is well. */
export function warning(balance: Balance, now: number): string | null {
  if (balance.level === "exhausted") return whyExhausted(balance, now);
  if (!balance.warningLowBudget) return null;
  return `Low budget: ${whyLow(balance, now)}.`;
}

/** What `lowBecause` says, with the numbers. */
function whyLow(balance: Balance, now: number): string {
  const left = `only ${usd(balance.spendable)} can still be spent`;
  const because = balance.lowBecause;
  if (because === null || because.scope === null) return left;
  const name = scopeInWords(because.scope);
  const low = lowBudget(balance);
  if (low === null) {
    const runsOutAt = balance.pace?.runsOutAt ?? null;
    return runsOutAt === null ? left : `the ${name} runs out ${until(runsOutAt, now)}`;
  }
  const share = `${percent(low.percentRemaining, low.remaining)} of the ${name}`;
  return low === limitingBudget(balance) ? `${left}, ${share}` : `only ${share} is left, ${usd(low.remaining)}`;
}

function whyExhausted(balance: Balance, now: number): string {
  const { account } = balance;
  if (account !== null && account.remaining < 0) {
    return "The account's credit is negative: even free models are refused until credit is bought.";
  }
  if (account !== null && account.remaining === 0) {
    return "The account's credit is used up: requests are refused until credit is bought.";
  }
  const spent = balance.budgets.filter((budget) => budget.remaining <= 0);
  const ends = spent.flatMap((budget) => (budget.resetsAt === null ? [] : [budget.resetsAt])).sort();
  const last = ends.at(-1);
  if (last === undefined || ends.length < spent.length) return "Requests are refused until that limit is raised.";
  return `Requests are refused until ${instant(last, now)}.`;
}

/** A note about the key's end, and how bad it is; null for a key that lasts. */
export function expiry(balance: Balance, now: number): { text: string; isOver: boolean } | null {
  const { expiresAt } = balance.key;
  if (expiresAt === null) return null;
  const ends = Date.parse(expiresAt);
  if (ends <= now) {
    return { text: `The key expired on ${instant(expiresAt, now)}: requests are refused.`, isOver: true };
  }
  const runsOutAt = balance.pace?.runsOutAt ?? null;
  const isFirst = runsOutAt !== null && ends < Date.parse(runsOutAt);
  if (ends - now > EXPIRY_NOTICE && !isFirst) return null;
  const text = `The key expires ${until(expiresAt, now)}, on ${instant(expiresAt, now)}`;
  return { text: isFirst ? `${text}, before the money runs out.` : `${text}.`, isOver: false };
}

/** What the amount does not say about the account behind the key. */
export function accountNote(balance: Balance): string | null {
  if (balance.accountError !== null) return `The account's credit is not known: ${balance.accountError}`;
  if (balance.account !== null || balance.limitedBy === ACCOUNT_CREDIT || balance.budgets.length > 0) return null;
  return balance.key.isFreeTier === true
    ? "No credit was bought; free models have a separate limit."
    : "The account's credit is not known: that needs a management key.";
}
