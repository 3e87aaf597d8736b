// The intervals of what was spent, in words.

import { sum } from "d3-array";
import { clock, instant, usd } from "../format";
import type { SpendInterval } from "../generated";
import { DAY } from "./range";

const DATE = utc({});
const WITH_WEEKDAY = utc({ weekday: "short" });
const WITH_YEAR = utc({ weekday: "short", year: "numeric" });

function utc(more: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC", ...more });
}

/** `hour`, `day`, `week`: what one interval is. */
export function unit(spend: SpendInterval[]): string {
  const first = spend[0];
  const width = first === undefined ? DAY : Date.parse(first.to) - Date.parse(first.from);
  return width < DAY ? "hour" : width < 7 * DAY ? "day" : "week";
}

/** An interval in full: `Thu 12 Feb, 14:00 CET`; whole days are UTC's, since they are cut there. */
export function name(from: number, to: number, now: number): string {
  if (to - from < DAY) return instant(new Date(from).toISOString(), now);
  const first = text(WITH_YEAR, from);
  return to - from === DAY ? `${first} (UTC)` : `${first} to ${text(WITH_WEEKDAY, to - DAY)} (UTC)`;
}

/** An interval beside a time that is in it: `from 14:00 to 15:00`, `on 12 Feb (UTC)`, `from 5 Feb to 11 Feb (UTC)`. */
export function within(from: number, to: number): string {
  if (to - from < DAY) return `from ${clock(new Date(from), false)} to ${clock(new Date(to), false)}`;
  const last = text(DATE, to - DAY);
  return to - from === DAY ? `on ${last} (UTC)` : `from ${text(DATE, from)} to ${last} (UTC)`;
}

/** What was spent in all that is shown. */
export function total(spend: SpendInterval[]): number {
  return sum(spend, (one) => one.usd);
}

/** `$4.00`, `~$4.00`, `at least $4.00`, `at least about $4.00`. */
export function amountOf(one: Pick<SpendInterval, "usd" | "estimated" | "partial">): string {
  if (one.partial) return `at least ${one.estimated ? "about " : ""}${usd(one.usd)}`;
  return `${one.estimated ? "~" : ""}${usd(one.usd)}`;
}

/** The same with whether OpenRouter told it afterwards: `$4.00 (reported)`. */
export function marked(one: SpendInterval): string {
  return `${amountOf(one)}${one.reported ? " (reported)" : ""}`;
}

/** The same for all of them together. */
export function amountOfAll(spend: SpendInterval[]): string {
  return amountOf({
    usd: total(spend),
    estimated: spend.some((one) => one.estimated),
    partial: spend.some((one) => one.partial),
  });
}

function text(format: Intl.DateTimeFormat, at: number): string {
  return format.format(at).replace(",", "");
}
