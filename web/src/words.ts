// Words and colours by level, from the document alone, by the terminal's rules.

import { count, duration, instant, inWords, percent, scopeInWords, until, usd } from "./format";
import type { Balance, Budget, FreeRequests, Level, Pace, Rate, Runaway } from "./generated";

export type Colour = "green" | "yellow" | "red";

/** A key that expires sooner than this gets a note. */
const EXPIRY_NOTICE = 7 * 86_400_000;

const DAY = 86_400_000;

/** How many times the pace a rate must be for words about it: a pace is a mean, with idle hours in it. */
const WORTH_SAYING = 2;

/** What runs out sooner, and before its reset, needs attention: `orcredit.balance.ATTENTION`. */
const ATTENTION = DAY;

/** Below this credit, in USD, requests may be refused before it is used up: `orcredit.balance.IN_FLIGHT_BELOW`. */
const IN_FLIGHT_BELOW = 10;
const IN_FLIGHT =
  "With less than $10 of credit, OpenRouter may refuse large requests, or many at once, before it is used up.";

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

/** The budget that `spendable` comes from; null for the account's credit, and where nothing limits the key. */
export function limitingBudget(balance: Balance): Budget | null {
  return balance.budgets.find((budget) => budget.isLimiting) ?? null;
}

/** The first of the budgets of a scope that have the least of something. */
function least(balance: Balance, scope: string | null, of: (budget: Budget) => number): Budget | null {
  const budgets = balance.budgets.filter((budget) => budget.scope === scope);
  return budgets.reduce<Budget | null>((first, budget) => (first === null || of(budget) < of(first) ? budget : first), null);
}

/** A budget's name; with its period where another one has the same scope. */
export function budgetName(budget: Budget, balance: Balance): string {
  const name = scopeInWords(budget.scope);
  const isAlone = balance.budgets.filter((other) => other.scope === budget.scope).length === 1;
  return isAlone ? name : `${budget.resetPeriod === null ? "lifetime" : inWords(budget.resetPeriod)} ${name}`;
}

/** What limits the key; null where nothing is known to. */
export function limitedBy(balance: Balance): string | null {
  const budget = limitingBudget(balance);
  if (budget !== null) return budgetName(budget, balance);
  return balance.limitedBy === null ? null : scopeInWords(balance.limitedBy);
}

/** What is left of the limiting budget; null where the credit limits, which has no percentage, or nothing does. */
export function percentLeft(balance: Balance): string | null {
  const budget = limitingBudget(balance);
  return budget === null ? null : percent(budget.percentRemaining, budget.remaining);
}

/** Of what the forecast is, where that is not what limits the key: ` of the member budget`; else nothing. */
export function paceOf(balance: Balance, pace: Pace): string {
  const paced = balance.budgets.filter((budget) => budget.scope === pace.scope && budget.runsOutAt === pace.runsOutAt);
  if (paced.some((budget) => budget.isLimiting)) return "";
  if (paced[0] !== undefined) return ` of the ${budgetName(paced[0], balance)}`;
  return pace.scope === balance.limitedBy ? "" : ` of the ${scopeInWords(pace.scope)}`;
}

/** Whether what can be spent runs out within a day and before its reset, although the level is ok. */
export function needsAttention(balance: Balance): boolean {
  const runsOutAt = balance.pace?.runsOutAt ?? null;
  if (balance.warningLowBudget || runsOutAt === null) return false;
  return Date.parse(runsOutAt) - Date.parse(balance.fetchedAt) < ATTENTION;
}

/** The amount, or what stands in its place where nothing that is known limits the key. */
export function amountInWords(balance: Balance): string {
  if (balance.spendable !== null) return usd(balance.spendable);
  return isFreeOnly(balance) ? "free models only" : "no limit on this key";
}

/** Whether the key can run free models only: no credit was ever bought, and nothing was spent, of a grant say. */
export function isFreeOnly(balance: Balance): boolean {
  return balance.spendable === null && balance.key.isFreeTier === true && !balance.usage;
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
  if (because.threshold.startsWith("$")) return `only ${usd(balance.account?.remaining)} of the ${name} is left`;
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
  const { refusedUntil } = balance;
  return `Requests are refused until ${refusedUntil === null ? "that limit is raised" : instant(refusedUntil, now)}.`;
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
export function accountNote(balance: Balance, now: number): string | null {
  const { account, accountError, freeRequests } = balance;
  if (account !== null) return 0 < account.remaining && account.remaining < IN_FLIGHT_BELOW ? IN_FLIGHT : null;
  if (accountError !== null) return `The account's credit is not known: ${accountError}`;
  if (isFreeOnly(balance)) return freeRequests === null ? null : freeRequestsLeft(freeRequests, balance.fetchedAt, now);
  if (balance.budgets.length > 0) return null;
  return "The account's credit is not known: start orcredit with OPENROUTER_MANAGEMENT_KEY to see it.";
}

function freeRequestsLeft(free: FreeRequests, fetchedAt: string, now: number): string | null {
  if (free.remaining === null) return null;
  const of = free.limit === null ? "" : ` of ${count(free.limit)}`;
  const midnight = new Date(Date.parse(fetchedAt) + DAY).toISOString().slice(0, 10);
  const left = free.remaining > 0 ? count(free.remaining) : "None";
  return `${left}${of} free requests left today, until ${instant(`${midnight}T00:00:00.000Z`, now)}`;
}

/** `now $43.00 a minute, 900 × the usual pace: the key limit is gone in 1 min 22 s`. */
export function rateInWords(rate: Rate, now: number): string {
  if (rate.perMinute === 0) return "now nothing is spent";
  const fast = `now ${fastInWords(rate.perMinute, rate.timesPace)}`;
  const left = rate.runsOutAt === null ? null : Date.parse(rate.runsOutAt) - now;
  if (left === null || left > DAY || rate.scope === null) return fast;
  return `${fast}: the ${scopeInWords(rate.scope)} is gone in ${duration(left)}`;
}

export function runawayInWords(runaway: Runaway, now: number): string {
  const name = `${runaway.period === null ? "" : `${runaway.period} `}${scopeInWords(runaway.scope)}`;
  const spending = `spending ${fastInWords(runaway.perMinute, runaway.timesPace)}`;
  if (runaway.runsOutAt === null) return `${spending} of the ${name}`;
  const left = Date.parse(runaway.runsOutAt) - now;
  return left > 0 ? `${spending}: the ${name} is gone in ${duration(left)}` : `${spending}: the ${name} is gone`;
}

/** How fast money is spent, and how many times the pace that is, if it is more than the pace. */
function fastInWords(perMinute: number, timesPace: number | null): string {
  const text = `${usd(perMinute)} a minute`;
  return timesPace === null || timesPace < WORTH_SAYING ? text : `${text}, ${count(Math.round(timesPace))} × the usual pace`;
}
