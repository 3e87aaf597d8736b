// Spend by day and by what it was spent on, as stacked bars: the five largest, and all others. Pure.

import type { Activity, Spend } from "../generated";
import { DAY } from "../chart/range";

export type By = "model" | "key" | "app" | "provider";

export interface Series {
  /** Tells it from all others. */
  id: string;
  name: string;
  /** USD in all. */
  total: number;
  /** USD on each of the days. */
  amounts: number[];
}

export interface Stack {
  /** When each day begins, in milliseconds: UTC's. */
  days: number[];
  /** The largest first, the others last. */
  series: Series[];
  /** Whether the last of the series are the others. */
  hasOthers: boolean;
}

/** How many have a separate colour. */
export const MOST = 5;

/** Sums that differ by less than this are equal. */
const NOISE = 1e-7;

/** USD; less is no part that can be seen. */
const HALF_A_CENT = 0.005;

/**
 * `whole`: what was spent on each; `daily`: on each and each day, of which the smallest may be missing; `perDay`: on each
 * day, where some are.
 */
export function stackOf(by: By, whole: Activity, daily: Activity, perDay: Activity | null): Stack {
  const largest = whole.rows.filter((row) => row.spend > 0).slice(0, MOST);
  const days = daysOf(daily);
  const at = new Map(days.map((day, index) => [day, index]));
  const indexOf = (row: Spend) => at.get(dayOf(row.start)) ?? -1;
  const totals = days.map(() => 0);
  const places = new Map(largest.map((row, place) => [row[by], place]));
  const amounts = largest.map(() => days.map(() => 0));
  for (const row of daily.rows) {
    const day = indexOf(row);
    const own = amounts[places.get(row[by]) ?? -1];
    if (own !== undefined && day >= 0) own[day] = (own[day] ?? 0) + row.spend;
  }
  for (const row of (perDay ?? daily).rows) {
    const day = indexOf(row);
    if (day >= 0) totals[day] = (totals[day] ?? 0) + row.spend;
  }
  const rest = totals.map((total, day) => atLeastZero(total - sum(amounts.map((own) => own[day] ?? 0))));
  const series = largest.map((row, place) => ({ id: `=${row[by]}`, name: nameOf(row, by), total: row.spend, amounts: amounts[place] ?? [] }));
  const left = atLeastZero(whole.total.spend - sum(largest.map((row) => row.spend)));
  // What days lack of the largest is among the others, too: with a few noughts more it would be shown as $0.00.
  const others = left > 0 ? left : sum(rest);
  const hasOthers = left > 0 || others >= HALF_A_CENT;
  if (hasOthers) series.push({ id: "others", name: othersOf(whole), total: others, amounts: rest });
  return { days, series, hasOthers };
}

function othersOf({ rows, others }: Activity): string {
  const count = rows.length - MOST;
  return others !== null || count < 1 ? "others" : count === 1 ? "1 other" : `${count} others`;
}

/** What a row is about. */
export function nameOf(row: Spend, by: By): string {
  return row[by] ?? (by === "app" ? "no app named" : `no ${by} named`);
}

/** Every UTC day of the span. */
function daysOf({ since, until }: Activity): number[] {
  const days: number[] = [];
  const end = Date.parse(until);
  for (let day = dayOf(since); day < end; day += DAY) days.push(day);
  return days;
}

function dayOf(iso: string | null): number {
  const at = Date.parse(iso ?? "");
  return at - (at % DAY);
}

function sum(amounts: number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}

function atLeastZero(amount: number): number {
  return amount < NOISE ? 0 : amount;
}

/** The numbers as CSV; a text that a spreadsheet would run as a formula begins with an apostrophe. */
export function csvOf({ days, series }: Stack): string {
  const head = ["day", ...series.map(({ name }) => cell(name))];
  const rows = days.map((day, index) => [new Date(day).toISOString().slice(0, 10), ...series.map(({ amounts }) => String(amounts[index] ?? 0))]);
  return [head, ...rows].map((row) => `${row.join(",")}\n`).join("");
}

function cell(text: string): string {
  return `"${(/^[=+\-@]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}
