// The forecast as it is drawn, from the document's `pace` alone: instants in milliseconds, amounts in USD.

import { duration, instant } from "../format";
import type { Balance, Budget, Pace } from "../generated";
import { ACCOUNT_CREDIT } from "../scopes";
import { limitingBudget } from "../words";
import { DAY, dayOf, instantOf } from "./range";

export interface Moment {
  at: number;
  usd: number;
}

export interface Forecast {
  line: [Moment, Moment];
  /** A polygon between what is spent fastest and slowest; null where that is not known. */
  cone: Moment[] | null;
  /** Whether it runs out, before its reset if it has one. */
  isRunOut: boolean;
}

/** A time without money, on the zero line. */
export interface Band {
  from: number;
  /** Null: no reset ends it. */
  to: number | null;
  /** From the longest to the shortest: the first that fits is shown. */
  words: string[];
}

export function forecastOf(balance: Balance): Forecast | null {
  const { pace, spendable, level } = balance;
  if (pace === null || pace.perDay === null || spendable === null || spendable <= 0 || level === "exhausted") return null;
  const budget = pacedBudget(balance, pace);
  const start = { at: Date.parse(balance.fetchedAt), usd: spendable };
  const reset = instantOf(budget?.resetsAt);
  const atReset = (projected: number | null) =>
    reset === null || budget === null || projected === null
      ? null
      : { at: reset, usd: Math.min(Math.max(budget.limit - projected, 0), spendable) };
  const runsOutAt = instantOf(pace.runsOutAt);
  if (runsOutAt !== null) {
    // Where something else limits the key until its own reset, no straight line leads from here to there.
    const next = instantOf(limitingBudget(balance)?.resetsAt);
    if (budget?.isLimiting !== true && next !== null && next < runsOutAt) return null;
  }
  const end = runsOutAt === null ? atReset(pace.projectedAtReset) : { at: runsOutAt, usd: 0 };
  if (end === null || end.at < start.at) return null;
  const fastest = atReset(pace.projectedAtResetHigh);
  const slowest = atReset(pace.projectedAtResetLow);
  return { line: [start, end], cone: coneOf(pace, start, reset, fastest, slowest), isRunOut: runsOutAt !== null };
}

function coneOf(pace: Pace, start: Moment, reset: number | null, fastest: Moment | null, slowest: Moment | null) {
  if (pace.isUpperBound) return null;
  const earliest = instantOf(pace.runsOutEarliest);
  const latest = instantOf(pace.runsOutLatest);
  // The latest is at most the reset: then it may well last that long.
  const isSurelyOut = latest !== null && (reset === null || latest < reset);
  const upper = isSurelyOut ? { at: latest, usd: 0 } : slowest;
  if (upper === null) return null;
  if (earliest === null) return fastest === null ? null : [start, fastest, upper];
  const corner = { at: earliest, usd: 0 };
  return isSurelyOut ? [start, corner, upper] : [start, corner, { at: upper.at, usd: 0 }, upper];
}

/** The budget of which the forecast is; null for the account's credit. */
function pacedBudget(balance: Balance, pace: Pace): Budget | null {
  const limiting = limitingBudget(balance);
  if (limiting?.scope === pace.scope && limiting.runsOutAt === pace.runsOutAt) return limiting;
  const others = balance.budgets.filter((budget) => budget.scope === pace.scope);
  return others.find((budget) => budget.runsOutAt === pace.runsOutAt) ?? (limiting?.scope === pace.scope ? limiting : null);
}

/** When the key cannot spend: refused now, or empty from the run-out to the reset. */
export function bandOf(balance: Balance, now: number): Band | null {
  const { pace, level, refusedUntil, fetchedAt } = balance;
  if (level === "exhausted") {
    const to = instantOf(refusedUntil);
    const words = refusedUntil === null || to === null ? [] : [instant(refusedUntil, now), dayOf(new Date(to), undefined)];
    return { from: Date.parse(fetchedAt), to, words: [...words.map((when) => `refused until ${when}`), "refused"] };
  }
  const forecast = forecastOf(balance);
  if (pace === null || forecast === null || !forecast.isRunOut) return null;
  const from = forecast.line[1].at;
  if (pace.scope === ACCOUNT_CREDIT) return { from, to: null, words: ["empty unless topped up", "empty"] };
  const to = instantOf(pacedBudget(balance, pace)?.resetsAt);
  return { from, to, words: to === null ? ["empty"] : [`empty for ${howLong(to - from)}`, howLong(to - from)] };
}

/** `15 days`, as long as that is near enough. */
function howLong(length: number): string {
  return length >= 2 * DAY ? `${Math.round(length / DAY)} days` : duration(length);
}
