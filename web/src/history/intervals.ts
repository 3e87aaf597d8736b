// Turns the history's document into what charts and tables show; draws nothing.

import type { Mark } from "../charts/left";
import type { SpendBar } from "../charts/spend";
import { clock, instant } from "../format";
import type { Sample, Spend } from "../generated";

export type Range = "24h" | "7d" | "30d" | "all";

export const RANGES: [Range, string][] = [
  ["24h", "24 h"],
  ["7d", "7 d"],
  ["30d", "30 d"],
  ["all", "All"],
];

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MOST_BARS = 800;

/** What could be spent over time. Where nothing limited the key, the line has a gap. */
export function marks(points: Sample[]): Mark[] {
  return points.map((point) => ({ x: Date.parse(point.at), y: point.spendable }));
}

/** Whether there is a line to draw. */
export function isLine(points: Sample[]): boolean {
  return points.filter((point) => point.spendable !== null).length > 1;
}

/** The intervals as bars, with room for those that are missing between two: without them the axis would not be in proportion. */
export function bars(spend: Spend[], now: number): SpendBar[] {
  const all: SpendBar[] = [];
  let end: number | null = null;
  for (const one of spend) {
    const [from, to] = [Date.parse(one.from), Date.parse(one.to)];
    const width = to - from;
    for (let gap = end ?? from; width > 0 && gap + width <= from && all.length < MOST_BARS; gap += width) {
      all.push({ label: label(gap, width), title: name(gap, gap + width, now), usd: null, estimated: false });
    }
    all.push({ label: label(from, width), title: name(from, to, now), usd: one.usd, estimated: one.estimated });
    end = to;
  }
  return all;
}

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
  return spend.reduce((sum, one) => sum + one.usd, 0);
}

function label(from: number, width: number): string {
  return width < DAY ? clock(new Date(from), false) : utcDay(from, {});
}

function utcDay(instant: number, more: Intl.DateTimeFormatOptions): string {
  const format: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", timeZone: "UTC", ...more };
  return new Date(instant).toLocaleDateString("en-GB", format).replace(",", "");
}
