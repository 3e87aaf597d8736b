// Words and colours by level, from the document alone, by the terminal's rules.

import {
  capitalized,
  closeDay,
  count,
  duration,
  instant,
  inWords,
  near,
  openEnded,
  percent,
  runOutIn,
  scopeInWords,
  shortly,
  until,
  usd,
  weekday,
} from "./format";
import type { Balance, Breach, Budget, Level, Pace, Rate, Runaway } from "./generated";
import { ACCOUNT_CREDIT } from "./scopes";

export type Colour = "green" | "yellow" | "red";

/** A key that expires sooner than this gets a note. */
const EXPIRY_NOTICE = 7 * 86_400_000;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** How many times the pace a rate must be for words about it: a pace is a mean, with idle hours in it. */
const WORTH_SAYING = 2;

/** What runs out sooner, and before its reset, needs attention: `orcredit.balance.ATTENTION`. */
const ATTENTION = DAY;

/** Below this credit, in USD, requests may be refused before it is used up: `orcredit.balance.IN_FLIGHT_BELOW`. */
const IN_FLIGHT_BELOW = 10;
const IN_FLIGHT =
  "With less than $10 of credit, OpenRouter may refuse large requests, or many at once, before it is used up.";

/** How to make the account's credit known: by a variable for the unnamed profile. */
function creditNotKnown(profile: string | null): string {
  const [how, end] =
    profile === null
      ? ["set OPENROUTER_MANAGEMENT_KEY to a", ""]
      : [`give profile ${profile} a management`, ", such as with management_key_file in config.toml"];
  return `The account's credit is not known: ${how} key from https://openrouter.ai/settings/management-keys to see it${end}.`;
}

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
  return isAlone ? name : `${inWords(budget.resetPeriod || "lifetime")} ${name}`;
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

/** Of what the forecast is, where that is not what limits the key; else null. */
export function paceName(balance: Balance): string | null {
  const { pace } = balance;
  if (pace === null) return null;
  const paced = pacedBudget(balance);
  if (paced !== null) return paced.isLimiting ? null : budgetName(paced, balance);
  return pace.scope === balance.limitedBy ? null : scopeInWords(pace.scope);
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

/** How important a notice is. */
export type Importance = "plain" | "warning" | "alarm";

/** A sentence to show with the amount; `about` tells them apart: the key's end, the level, the account behind the key. */
export interface Notice {
  text: string;
  about: "expiry" | "level" | "account";
  importance: Importance;
}

/** An expiry, why the level is low or exhausted, and what is not known or may surprise: in the terminal's order. */
export function notices(balance: Balance, now: number): Notice[] {
  const { account, accountError, lowBecause } = balance;
  const said: Notice[] = [];
  const say = (about: Notice["about"], importance: Importance, text: string) => said.push({ text, about, importance });
  const { expiresAt } = balance.key;
  if (expiresAt !== null && Date.parse(expiresAt) <= now) {
    say("expiry", "alarm", `The key expired on ${instant(expiresAt, now)}: requests are refused.`);
  } else if (expiresAt !== null && (expiresFirst(balance, expiresAt) || Date.parse(expiresAt) - now <= EXPIRY_NOTICE)) {
    const first = expiresFirst(balance, expiresAt) ? ", before the money runs out" : "";
    say("expiry", "warning", `The key expires ${until(expiresAt, now)}, on ${instant(expiresAt, now)}${first}.`);
  }
  if (balance.level === "exhausted") say("level", "alarm", whyExhausted(balance, now));
  if (lowBecause !== null) say("level", "alarm", whyLow(lowBecause));
  if (account !== null && 0 < account.remaining && account.remaining < IN_FLIGHT_BELOW) say("account", "plain", IN_FLIGHT);
  if (isFreeOnly(balance)) {
    const free = freeRequestsLeft(balance, now);
    if (free !== null) say("account", balance.freeRequests?.remaining === 0 ? "warning" : "plain", free);
  } else if (account === null && balance.budgets.length === 0 && accountError === null) {
    say("account", "plain", creditNotKnown(balance.profile));
  }
  if (account === null && accountError !== null) {
    say("account", "warning", `The account's credit is not known: ${openEnded(accountError)}.`);
  }
  return said;
}

/** The sentence of the warning; null while all is well. */
export function warning(balance: Balance, now: number): string | null {
  return notices(balance, now).find((notice) => notice.about === "level")?.text ?? null;
}

/** A note about the key's end, and how bad it is; null for a key that lasts. */
export function expiry(balance: Balance, now: number): { text: string; isOver: boolean } | null {
  const notice = notices(balance, now).find(({ about }) => about === "expiry");
  return notice === undefined ? null : { text: notice.text, isOver: notice.importance === "alarm" };
}

/** What the amount does not say about the account behind the key. */
export function accountNote(balance: Balance, now: number): string | null {
  const texts = notices(balance, now).filter(({ about }) => about === "account");
  return texts.length === 0 ? null : texts.map(({ text }) => text).join(" ");
}

/** Whether the key expires before the money is forecast to run out. */
function expiresFirst(balance: Balance, expiresAt: string): boolean {
  const runsOutAt = balance.pace?.runsOutAt ?? null;
  return runsOutAt !== null && Date.parse(expiresAt) < Date.parse(runsOutAt);
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: DAY };

/** Which threshold makes the level low. */
export function whyLow({ threshold, scope }: Breach): string {
  const unit = UNITS[threshold.slice(-1)];
  if (unit !== undefined) return `Low: it runs out in less than ${duration(Number(threshold.slice(0, -1)) * unit)}.`;
  const amount = threshold.endsWith("%") ? threshold : usd(Number(threshold.slice(1)));
  return `Low: less than ${amount}${scope === null ? "" : ` of the ${scopeInWords(scope)}`} is left.`;
}

function whyExhausted(balance: Balance, now: number): string {
  const { account, refusedUntil } = balance;
  if (account !== null && account.remaining < 0) {
    return "The account's credit is negative: even free models are refused until credit is bought.";
  }
  if (account !== null && account.remaining === 0) {
    return "The account's credit is used up: requests are refused until credit is bought.";
  }
  return `Requests are refused until ${refusedUntil === null ? "that limit is raised" : instant(refusedUntil, now)}.`;
}

function freeRequestsLeft(balance: Balance, now: number): string | null {
  const free = balance.freeRequests;
  if (free === null || free.remaining === null) return null;
  const of = free.limit === null ? "" : ` of ${count(free.limit)}`;
  const midnight = new Date(Date.parse(balance.fetchedAt) + DAY).toISOString().slice(0, 10);
  const left = free.remaining > 0 ? count(free.remaining) : "None";
  return `${left}${of} free requests left today, until ${instant(`${midnight}T00:00:00.000Z`, now)}.`;
}

/**
 * `now $11.75 an hour, 3 × the usual pace`; a minute, with the end, where that is less than a day away:
 * `now $43.00 a minute, 900 × the usual pace: the key limit is gone in 1 min 22 s`.
 */
export function rateInWords(rate: Rate, now: number): string {
  if (rate.perMinute === 0) return "now nothing is spent";
  const left = rate.runsOutAt === null ? null : Date.parse(rate.runsOutAt) - now;
  if (left === null || left > DAY || rate.scope === null) return `now ${fast(perHour(rate.perMinute), "an hour", rate.timesPace)}`;
  return `now ${fast(rate.perMinute, "a minute", rate.timesPace)}: the ${scopeInWords(rate.scope)} is gone in ${duration(left)}`;
}

export function runawayInWords(runaway: Runaway, now: number): string {
  const name = `${runaway.period === null ? "" : `${inWords(runaway.period)} `}${scopeInWords(runaway.scope)}`;
  const spending = `spending ${fast(runaway.perMinute, "a minute", runaway.timesPace)}`;
  const cause = causeInWords(runaway.cause);
  if (runaway.runsOutAt === null) return `${spending} of the ${name}${cause}`;
  const left = Date.parse(runaway.runsOutAt) - now;
  return `${spending}: the ${name} is gone${left > 0 ? ` in ${duration(left)}` : ""}${cause}`;
}

/** What spends most of it: `; mostly batch-night with openai/gpt-5-mini ($4.10 of $5.00)`. */
function causeInWords(cause: Runaway["cause"]): string {
  if (cause === null) return "";
  const who = [cause.key, cause.model].filter(Boolean).join(" with ");
  return `; ${cause.usd * 2 > cause.of ? "mostly" : "above all"} ${who} (${usd(cause.usd)} of ${usd(cause.of)})`;
}

/** Without the binary noise of the product, which could round another way. */
function perHour(perMinute: number): number {
  return Number((perMinute * 60).toFixed(8));
}

/** How fast money is spent, and how many times the pace that is, if it is more than the pace. */
function fast(amount: number, per: string, timesPace: number | null): string {
  const text = `${usd(amount)} ${per}`;
  return timesPace === null || timesPace < WORTH_SAYING ? text : `${text}, ${count(timesPace)} × the usual pace`;
}

/** How a verdict or a cell is meant: to be shown in colour, but never in colour alone. */
export type Tone = "good" | "attention" | "bad" | "plain";

export interface Verdict {
  text: string;
  tone: Tone;
}

/** The one sentence that sums a key up, without a full stop: `orcredit.words.verdict`. */
export function verdict(balance: Balance, runaway: Runaway | null, now: number): Verdict {
  const { expiresAt } = balance.key;
  if (expiresAt !== null && Date.parse(expiresAt) <= now) return { text: "Key expired", tone: "bad" };
  if (balance.level === "exhausted") return { text: `Refused until ${refusedUntil(balance, now)}`, tone: "bad" };
  if (runaway !== null) return runawayVerdict(runaway, now);
  const runsOutAt = balance.pace?.runsOutAt ?? null;
  if (balance.lowBecause !== null) return { text: lowVerdict(balance, balance.lowBecause, runsOutAt, now), tone: "bad" };
  if (expiresAt !== null && (runsOutAt === null ? Date.parse(expiresAt) - now <= EXPIRY_NOTICE : expiresFirst(balance, expiresAt))) {
    return {
      text: `Key expires ${closeDay(expiresAt, now) ?? weekday(expiresAt, now)}`,
      tone: Date.parse(expiresAt) - now <= EXPIRY_NOTICE ? "attention" : "plain",
    };
  }
  if (runsOutAt !== null) return runOutVerdict(balance, runsOutAt, now);
  if (isFreeOnly(balance) && balance.freeRequests?.remaining === 0) return { text: "No free requests left today", tone: "attention" };
  if (balance.spendable === null) return { text: capitalized(amountInWords(balance)), tone: "plain" };
  if (balance.pace === null) return { text: "When it runs out is not known", tone: "plain" };
  return { text: `Lasts ${lastsUntil(balance, now)}`, tone: "good" };
}

/** When it runs out, where that is known: why the level is low is said in a notice. */
function lowVerdict(balance: Balance, because: Breach, runsOutAt: string | null, now: number): string {
  if (runsOutAt === null) return openEnded(whyLow(because));
  const { text } = runOutVerdict(balance, runsOutAt, now);
  return `Low: ${text.startsWith("API") ? text : text.charAt(0).toLowerCase() + text.slice(1)}`;
}

function runawayVerdict({ perMinute, runsOutAt }: Runaway, now: number): Verdict {
  if (runsOutAt === null) return { text: `Spending ${usd(perMinute)} a minute`, tone: "bad" };
  const left = Date.parse(runsOutAt) - now;
  return { text: left > 0 ? `Gone in ${duration(left)} at this rate` : "Gone by now at this rate", tone: "bad" };
}

function runOutVerdict(balance: Balance, runsOutAt: string, now: number): Verdict {
  const left = Date.parse(runsOutAt) - now;
  const isSoon = left < ATTENTION;
  const name = paceName(balance);
  const subject = name === null ? "Runs out" : `${capitalized(name)} runs out`;
  const resetsAt = pacedBudget(balance)?.resetsAt ?? null;
  const tone = isSoon || resetsAt !== null ? "attention" : "plain";
  if (balance.pace?.isUpperBound) {
    const when = isSoon ? runOutIn(runsOutAt, now) : weekday(runsOutAt, now);
    return { text: `${subject} ${when} at the latest`, tone };
  }
  if (resetsAt === null) return { text: `${subject} ${isSoon ? runOutIn(runsOutAt, now) : `in ${shortly(left)}`}`, tone };
  const before = `${daysOf(Date.parse(resetsAt) - Date.parse(runsOutAt))} before ${name === null ? "the" : "its"} reset`;
  return { text: isSoon ? `${subject} ${runOutIn(runsOutAt, now)}, ${before}` : `${subject} ${before}`, tone };
}

/** A long time in whole days, rounded, since it comes from a forecast: `15 days`; less than two days exactly. */
function daysOf(length: number): string {
  return length < 2 * DAY ? duration(length) : `${count(Math.floor((length + DAY / 2) / DAY))} days`;
}

/** `01:00`, `1 March`, "credit is bought" or "the limit is raised". */
function refusedUntil(balance: Balance, now: number): string {
  if (balance.account !== null && balance.account.remaining <= 0) return "credit is bought";
  return balance.refusedUntil === null ? "the limit is raised" : near(balance.refusedUntil, now);
}

/** `until 1 March`, `until the reset today, 23:00`; "ten years or more" where nothing resets. */
function lastsUntil(balance: Balance, now: number): string {
  const resetsAt = pacedBudget(balance)?.resetsAt ?? null;
  if (resetsAt === null || balance.pace?.lastsUntilReset !== true) return "ten years or more";
  const close = closeDay(resetsAt, now);
  return close === null ? `until ${near(resetsAt, now)}` : `until the reset ${close}`;
}

/** The budget that the forecast is of; null for the account's credit. */
function pacedBudget(balance: Balance): Budget | null {
  const { pace } = balance;
  if (pace === null) return null;
  const paced = balance.budgets.filter(({ scope, runsOutAt }) => scope === pace.scope && runsOutAt === pace.runsOutAt);
  return paced.find((budget) => budget.isLimiting) ?? paced[0] ?? null;
}

/** A cell of the strip: a label, what is shown large, and lines below it. */
export interface Cell {
  label: string;
  value: string;
  lines: string[];
  tone: Tone;
}

/** When the money runs out, or until when it lasts or requests are refused. */
export function untilCell(balance: Balance, runaway: Runaway | null, now: number): Cell {
  const { expiresAt } = balance.key;
  const { pace } = balance;
  if (expiresAt !== null && Date.parse(expiresAt) <= now) {
    return { label: "Refused", value: "key expired", lines: [`on ${instant(expiresAt, now)}`], tone: "bad" };
  }
  if (balance.level === "exhausted") return refusedCell(balance, now);
  if (runaway !== null && runaway.runsOutAt !== null && isByPaceTooLate(balance, runaway.runsOutAt)) {
    const lines = [`at ${usd(runaway.perMinute)} a minute`, instant(runaway.runsOutAt, now)];
    return { label: "Runs out", value: runOutIn(runaway.runsOutAt, now), lines, tone: "bad" };
  }
  if (pace === null || pace.perDay === null) {
    const value = isFreeOnly(balance) ? "never" : "not known";
    return { label: "Runs out", value, lines: [whyNoPace(balance)], tone: "plain" };
  }
  return pace.runsOutAt === null ? lastsCell(balance, pace, now) : runOutCell(balance, pace, pace.runsOutAt, now);
}

/** What stands in the place of `untilCell` where the verdict is that the key expires; null where it is not. */
export function expiryCell(balance: Balance, runaway: Runaway | null, now: number): Cell | null {
  const { expiresAt } = balance.key;
  const { text, tone } = verdict(balance, runaway, now);
  if (expiresAt === null || !text.startsWith("Key expires ")) return null;
  const { label, value, lines } = untilCell(balance, runaway, now);
  const money = value === "not known" ? [] : [`the money ${label.toLowerCase()} ${value}`, ...lines];
  return { label: "Key expires", value: until(expiresAt, now), lines: [instant(expiresAt, now), ...money], tone };
}

/** Whether a runaway empties something before anything runs out by the pace of days, which then only misleads. */
export function isByPaceTooLate(balance: Balance, goneAt: string): boolean {
  const runsOutAt = balance.pace?.runsOutAt ?? null;
  return runsOutAt === null || Date.parse(runsOutAt) > Date.parse(goneAt);
}

function refusedCell(balance: Balance, now: number): Cell {
  const { account } = balance;
  const isBroke = account !== null && account.remaining <= 0;
  const why = isBroke && account.remaining < 0 ? "the account's credit is negative: even free models are refused" : null;
  const lines = isBroke
    ? [why ?? "the account's credit is used up"]
    : balance.refusedUntil === null
      ? [`the ${limitedBy(balance)} is spent, and no reset will help`]
      : [until(balance.refusedUntil, now), instant(balance.refusedUntil, now)];
  return { label: "Refused until", value: refusedUntil(balance, now), lines, tone: "bad" };
}

function runOutCell(balance: Balance, pace: Pace, runsOutAt: string, now: number): Cell {
  const name = paceName(balance);
  const resetsAt = pacedBudget(balance)?.resetsAt ?? null;
  const without = resetsAt === null ? 0 : Date.parse(resetsAt) - Date.parse(runsOutAt);
  const lines = [
    instant(runsOutAt, now),
    name === null ? null : `the ${name}`,
    pace.scope === ACCOUNT_CREDIT ? `unless topped up; ${pace.isUpperBound ? "others may spend from it, too" : "at the account's pace"}` : null,
    between(pace, now),
    without >= HOUR ? `then nothing for ${daysOf(without)}, until the reset` : null,
  ].filter((line) => line !== null);
  // As amber as the header's sentence.
  const isEarly = needsAttention(balance) || resetsAt !== null;
  const tone = balance.warningLowBudget ? "bad" : isEarly ? "attention" : "plain";
  return { label: "Runs out", value: `${runOutIn(runsOutAt, now)}${pace.isUpperBound ? " at the latest" : ""}`, lines, tone };
}

/** With this begins the line which tells that what lasts may yet run out. */
export const AT_THE_EARLIEST = "at the earliest";

function lastsCell(balance: Balance, pace: Pace, now: number): Cell {
  const budget = pacedBudget(balance);
  const { projectedAtReset, projectedAtResetLow: low, projectedAtResetHigh: high, runsOutEarliest } = pace;
  const lines: string[] = [];
  if (budget !== null && budget.resetsAt !== null) lines.push(instant(budget.resetsAt, now));
  if (projectedAtReset !== null) lines.push(`with ${usd(projectedAtReset)}${budget === null ? "" : ` of ${usd(budget.limit)}`} spent by then`);
  if (runsOutEarliest !== null) lines.push(`${AT_THE_EARLIEST} it runs out ${runOutIn(runsOutEarliest, now)}`);
  else if (low !== null && high !== null && usd(low) !== usd(high)) lines.push(`between ${usd(low)} and ${usd(high)} in all`);
  return { label: "Lasts", value: lastsUntil(balance, now), lines, tone: "plain" };
}

/** The earliest and the latest run-out; null where they are as good as one. */
export function between({ runsOutEarliest, runsOutLatest }: Pace, now: number): string | null {
  if (runsOutEarliest === null || runsOutLatest === null) return null;
  const [earliest, latest] = [Date.parse(runsOutEarliest), Date.parse(runsOutLatest)];
  if (latest - earliest < HOUR) return null;
  return `between ${earliest > now ? duration(earliest - now) : "now"} and ${duration(latest - now)} from now`;
}

function whyNoPace(balance: Balance): string {
  if (balance.account !== null) return "this key spends nothing, and what others spend is not reported";
  if (balance.budgets.length > 0) return "OpenRouter does not report how fast this limit is spent";
  if (isFreeOnly(balance)) return "free models cost nothing";
  return "this key has no limit that could run out, and what its account has left is not known";
}

export const BASES: Record<NonNullable<Pace["basis"]>, string> = {
  today: "by today",
  week: "by this week",
  month: "by this month",
  period: "by its period so far",
  history: "by its past weeks",
};

/** How fast money is spent: `value` a day, null where that is not known, which `lines` explain. */
export interface PaceWords {
  value: string | null;
  unit: string;
  /** By what the pace is known: `by this week (UTC)`; or why it is not. */
  basis: string;
  /** `now $11.75 an hour, 3 × the usual pace` */
  rightNow: string | null;
  /** `to last until the reset: at most $9.74 a day`, where it would not at this pace. */
  toLast: string | null;
  /** `lasts at up to $28.57 a day`, where it lasts at this pace. */
  upTo: string | null;
}

export function paceCell(balance: Balance, rate: Rate | null, now: number): PaceWords {
  const { pace } = balance;
  const none = { value: null, unit: "", rightNow: null, toLast: null, upTo: null };
  if (balance.level === "exhausted") return { ...none, basis: "nothing is left to spend, at any pace" };
  const rightNow = rate === null ? null : rateInWords(rate, now);
  if (pace === null || pace.perDay === null) return { ...none, basis: whyNoPace(balance), rightNow };
  const name = paceName(balance);
  const isAffordable = pace.runsOutAt !== null && pace.affordablePerDay;
  const by = pace.isUpperBound ? " by this key" : name === null && pace.scope === ACCOUNT_CREDIT ? " by the account" : "";
  return {
    value: usd(pace.perDay),
    unit: `a day${by}${name === null ? "" : ` of the ${name}`}`,
    basis: pace.basis === null ? "" : `${BASES[pace.basis]} (UTC)`,
    rightNow,
    toLast: isAffordable ? `to last until the reset: at most ${usd(pace.affordablePerDay)} a day` : null,
    upTo: pace.lastsUntilReset === true && pace.affordablePerDay ? `lasts at up to ${usd(pace.affordablePerDay)} a day` : null,
  };
}

/** What an even pace would have left now; null where that is not known of the limiting budget. */
export function evenPace(balance: Balance): string | null {
  const even = balance.pace?.evenPercentRemaining ?? null;
  const budget = pacedBudget(balance);
  if (even === null || budget === null || !budget.isLimiting || budget.limit <= 0) return null;
  return `An even pace would have ${count(even)}% left now`;
}
