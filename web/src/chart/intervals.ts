// The intervals of what was spent, in words.

import { sum } from "d3-array";
import { instant, usd } from "../format";
import type { Spend } from "../generated";
import { DAY } from "./range";

/** `hour`, `day`, `week`: what one interval is. */
export function unit(spend: Spend[]): string {
  const first = spend[0];
  const width = first === undefined ? DAY : Date.parse(first.to) - Date.parse(first.from);
  return width < DAY ? "hour" : width < 7 * DAY ? "day" : "week";
}

/** An interval in full: `Thu 12 Feb, 14:00 CET`; whole days are UTC's, since they are cut there. */
export function name(from: number, to: number, now: number): string {
  if (to - from < DAY) return instant(new Date(from).toISOString(), now);
  const first = utcDay(from, { weekday: "short", year: "numeric" });
  return to - from === DAY ? `${first} (UTC)` : `${first} to ${utcDay(to - DAY, { weekday: "short" })} (UTC)`;
}

/** What was spent in all that is shown. */
export function total(spend: Spend[]): number {
  return sum(spend, (one) => one.usd);
}

/** `$4.00`, `~$4.00`, `at least $4.00`. */
export function amountOf(one: Pick<Spend, "usd" | "estimated" | "partial">): string {
  return `${one.partial ? "at least " : ""}${one.estimated ? "~" : ""}${usd(one.usd)}`;
}

/** The same for all of them together. */
export function amountOfAll(spend: Spend[]): string {
  return amountOf({
    usd: total(spend),
    estimated: spend.some((one) => one.estimated),
    partial: spend.some((one) => one.partial),
  });
}

function utcDay(instant: number, more: Intl.DateTimeFormatOptions): string {
  const format: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", timeZone: "UTC", ...more };
  return new Date(instant).toLocaleDateString("en-GB", format).replace(",", "");
}
