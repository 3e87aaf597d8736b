// The line of what was left, in stretches: it breaks where nobody watched, where nothing limited the key, and at resets.

import { bisectRight } from "d3-array";
import type { Balance, HistoryDocument } from "../generated";
import { instantOf, type Span } from "./range";

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

/** The times in which nobody watched, but not before the first sample, of which nothing is known. */
export function gapsOf(history: HistoryDocument | null): Span[] {
  const first = instantOf(history?.points[0]?.at);
  return (history?.gaps ?? []).flatMap((gap) => {
    const [from, to] = [instantOf(gap.from), instantOf(gap.to)];
    return first !== null && from !== null && to !== null && to > from && to > first ? [{ from: Math.max(from, first), to }] : [];
  });
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
