// The time axis: from when to when a range is shown, and where it is marked.

import { timeTicks, utcDay, utcMonth, utcTicks } from "d3-time";
import { clock } from "../format";
import type { Balance, HistoryDocument } from "../generated";
import { limitingBudget } from "../words";

export type Range = "24h" | "7d" | "30d" | "period" | "all";

export const RANGES: [Range, string][] = [
  ["24h", "24 h"],
  ["7d", "7 d"],
  ["30d", "30 d"],
  ["period", "This period"],
  ["all", "All"],
];

/** An interval of time, in milliseconds. */
export interface Span {
  from: number;
  to: number;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const LENGTHS: Partial<Record<Range, number>> = { "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY };

/** How much of the future is shown at most, as a part of the past that is. */
const MOST_FUTURE = 0.6;

/** So that what is drawn at "now" is not cut in half. */
const LEAST_FUTURE = 0.02;

/** What the axis shows: the range sets it, whether there is data or not. */
export function spanOf(range: Range, history: HistoryDocument | null, balance: Balance, now: number): Span {
  if (range === "period") return period(history, balance, now);
  const length = LENGTHS[range];
  const from = length !== undefined ? now - length : Math.min(firstSample(history) ?? now - DAY, reportedSince(history) ?? now, now - HOUR);
  const past = now - from;
  return { from, to: clamp(comesTo(balance, now) ?? now, now + LEAST_FUTURE * past, now + MOST_FUTURE * past) };
}

/** When the first sample was taken; null where there is none. */
export function firstSample(history: HistoryDocument | null): number | null {
  return instantOf(history?.points[0]?.at);
}

/** Since when spend is known where that is before the key was watched; null where it is not. */
export function reportedSince(history: HistoryDocument | null): number | null {
  return history?.spend[0]?.reported ? instantOf(history.since) : null;
}

/** Milliseconds; null for what is missing or not a time. */
export function instantOf(iso: string | null | undefined): number | null {
  const at = Date.parse(iso ?? "");
  return Number.isNaN(at) ? null : at;
}

/** The next time of which the document speaks: the reset of what limits the key, else a while after the run-out. */
function comesTo(balance: Balance, now: number): number | null {
  const { pace, refusedUntil } = balance;
  const reset = instantOf(refusedUntil) ?? instantOf(limitingBudget(balance)?.resetsAt);
  if (reset !== null) return reset;
  const runsOutAt = instantOf(pace?.runsOutLatest) ?? instantOf(pace?.runsOutAt);
  return runsOutAt === null ? null : runsOutAt + (runsOutAt - now) / 4;
}

function period(history: HistoryDocument | null, balance: Balance, now: number): Span {
  const budget = limitingBudget(balance);
  const reset = instantOf(budget?.resetsAt) ?? instantOf(balance.resetsAt);
  const name = budget?.resetsAt != null ? budget.resetPeriod : balance.resetPeriod;
  const to = Math.max(reset ?? utcMonth.ceil(new Date(now)).getTime(), now + MINUTE);
  const from = instantOf(history?.since) ?? began(name, reset, now);
  return { from: Math.min(from, now - HOUR), to };
}

/** When the period that ends with a reset began; the calendar month where that is not known. */
function began(name: string | null, reset: number | null, now: number): number {
  if (reset === null) return utcMonth.floor(new Date(now)).getTime();
  if (name === "daily") return reset - DAY;
  if (name === "weekly") return utcDay.offset(new Date(reset), -7).getTime();
  return utcMonth.offset(new Date(reset), -1).getTime();
}

export interface Mark {
  at: number;
  label: string;
}

/** About `count` marks: at UTC's days, as the bars are; where they are closer than that, at hours of the reader's clock. */
export function timeMarks(span: Span, count: number): Mark[] {
  const [from, to] = [new Date(span.from), new Date(span.to)];
  const dates = utcTicks(from, to, count);
  const step = Number(dates[1] ?? from) - Number(dates[0] ?? from);
  if (step >= DAY) return dates.map((date) => ({ at: date.getTime(), label: utcLabel(date, step) }));
  return timeTicks(from, to, count).map((date) => ({ at: date.getTime(), label: localLabel(date) }));
}

function localLabel(date: Date): string {
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  return isMidnight ? dayOf(date, undefined) : clock(date, false);
}

function utcLabel(date: Date, step: number): string {
  if (step < 28 * DAY) return dayOf(date, "UTC");
  if (step >= 360 * DAY || date.getUTCMonth() === 0) return String(date.getUTCFullYear());
  return MONTH.format(date);
}

// Made once, since an axis tries many marks.
const MONTH = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" });
const UTC_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const LOCAL_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** `12 Feb` */
export function dayOf(date: Date, timeZone: "UTC" | undefined): string {
  return (timeZone === undefined ? LOCAL_DAY : UTC_DAY).format(date);
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
