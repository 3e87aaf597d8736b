// Where pointer and arrow keys stop on the chart, and what is said there.

import { bisector, bisectRight } from "d3-array";
import { duration, instant, usd } from "../format";
import type { Balance, HistoryDocument } from "../generated";
import { marked, name, within } from "./intervals";
import { gapsOf, type Left, resetsOf, samplesOf, stretchesOf } from "./lines";
import { clamp, type Span } from "./range";

export interface Stop {
  at: number;
  /** Where the line is there, in USD; null where there is none. */
  usd: number | null;
  /** The bar there; null where there is none. */
  bar: number | null;
  /** The first of them is the time. */
  words(now: number): string[];
}

const byTime = bisector((one: { at: number }) => one.at);

/** In the order of time: every sample, and every bar and every gap without one. */
export function stopsOf(history: HistoryDocument | null, balance: Balance, span: Span): Stop[] {
  const spend = history?.spend ?? [];
  const begins = spend.map((one) => Date.parse(one.from));
  const barAt = (at: number): number | null => {
    const index = bisectRight(begins, at) - 1;
    return index >= 0 && at < Date.parse(spend[index]?.to ?? "") ? index : null;
  };
  const spentWords = (bar: number | null): string[] => {
    const one = bar === null ? undefined : spend[bar];
    return one === undefined ? [] : [`${marked(one)} spent ${within(Date.parse(one.from), Date.parse(one.to))}`];
  };
  const gaps = gapsOf(history);
  const all = samplesOf(history, balance);
  const line = stretchesOf(all, gaps, resetsOf(history));
  const samples = all.filter(({ at }) => at >= span.from && at <= span.to);
  const stops: Stop[] = samples.map(({ at, usd: left }) => {
    const bar = barAt(at);
    const words = (now: number) => [when(at, now), left === null ? "no limit" : `${usd(left)} left`, ...spentWords(bar)];
    return { at, usd: left, bar, words };
  });
  const hasSample = new Set(stops.map((stop) => stop.bar));
  spend.forEach((one, bar) => {
    const [from, to] = [Date.parse(one.from), Date.parse(one.to)];
    if (hasSample.has(bar) || to <= span.from || from >= span.to) return;
    const at = clamp((from + to) / 2, span.from, span.to);
    const left = unchanged(line, at);
    const leftWords = left === null ? [] : [`${usd(left)} left`];
    stops.push({ at, usd: left, bar, words: (now) => [name(from, to, now), ...leftWords, `${marked(one)} spent`] });
  });
  for (const { from, to } of gaps) {
    const at = clamp((from + to) / 2, span.from, span.to);
    const text = `not watched for ${duration(to - from)}`;
    if (to > span.from && from < span.to) stops.push({ at, usd: null, bar: null, words: (now) => [`${when(from, now)} to ${when(to, now)}`, text] });
  }
  return stops.sort((one, other) => one.at - other.at);
}

/** What was left between two samples, if it was the same at both: then nothing changed. */
function unchanged(line: Left[][], at: number): number | null {
  for (const stretch of line) {
    const next = stretch[byTime.left(stretch, at)];
    const before = stretch[byTime.left(stretch, at) - 1];
    if (before !== undefined && next !== undefined) return before.usd === next.usd ? next.usd : null;
  }
  return null;
}

function when(at: number, now: number): string {
  return instant(new Date(at).toISOString(), now);
}

/** The index of the stop nearest to an instant; -1 where there is none. */
export function nearest(stops: Stop[], at: number): number {
  return stops.length === 0 ? -1 : byTime.center(stops, at);
}

