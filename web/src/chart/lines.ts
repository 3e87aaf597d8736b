// The line of what was left, in stretches: it breaks at times without polls, where nothing limited the key, and at resets.

import { bisectRight, min } from "d3-array";
import type { Balance, HistoryDocument } from "../generated";
import { firstSample, instantOf, type Span } from "./range";

export interface Left {
  at: number;
  usd: number;
}

/** The samples up to the newest balance, null where nothing limited the key; in the order of time. */
export function samplesOf(history: HistoryDocument | null, balance: Balance): { at: number; usd: number | null }[] {
  const samples = (history?.points ?? []).map((point) => ({ at: Date.parse(point.at), usd: point.spendable }));
  const newest = { at: Date.parse(balance.fetchedAt), usd: balance.spendable };
  // The history is asked for less often than the balance.
  return (samples.at(-1)?.at ?? 0) < newest.at ? [...samples, newest] : samples;
}

/** The times without polls; the server lists none before the key was watched at all. */
export function gapsOf(history: HistoryDocument | null): Span[] {
  return (history?.gaps ?? []).flatMap((gap) => {
    const [from, to] = [instantOf(gap.from), instantOf(gap.to)];
    return from !== null && to !== null && to > from ? [{ from, to }] : [];
  });
}

/** Since when something is known of the key in the time that is shown; null where nothing is. */
export function knownSince(history: HistoryDocument | null): number | null {
  return min([firstSample(history), gapsOf(history)[0]?.from ?? null].filter((at) => at !== null)) ?? null;
}

/** When budgets were reset, each time once. */
export function resetsOf(history: HistoryDocument | null): number[] {
  const times = (history?.resets ?? []).flatMap((reset) => instantOf(reset.at) ?? []);
  return [...new Set(times)].sort((one, other) => one - other);
}

/** The parts of the line, each of samples that a line may connect. */
export function stretchesOf(samples: { at: number; usd: number | null }[], gaps: Span[], resets: number[]): Left[][] {
  const ends = gaps.map((gap) => gap.to);
  const stretches: Left[][] = [];
  let stretch: Left[] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const { at, usd } of samples) {
    const gap = gaps[bisectRight(ends, before)];
    const reset = resets[bisectRight(resets, before)];
    const isBroken = (gap !== undefined && gap.from < at) || (reset !== undefined && reset <= at);
    if (stretch.length > 0 && (isBroken || usd === null)) {
      stretches.push(stretch);
      stretch = [];
    }
    if (usd !== null) stretch.push({ at, usd });
    before = at;
  }
  return stretch.length > 0 ? [...stretches, stretch] : stretches;
}
