// The stacked bars as pixels, and where pointer and arrow keys stop on them. Pure.

import { max } from "d3-array";
import { scaleLinear } from "d3-scale";
import { type Tick, ticksOf, timesOf } from "../chart/axes";
import { frameOf, type Size } from "../chart/frame";
import { type Label, textWidth } from "../chart/labels";
import { clamp, DAY } from "../chart/range";
import type { Stop } from "../chart/stops";
import type { Ground } from "../chart/walk";
import { usd } from "../format";
import type { Stack } from "./stack";
import { cut } from "./strip";

export interface StackScene extends Ground {
  ticks: Tick[];
  times: Label[];
  /** Of each series the outline of its part of every bar; empty for those that are hidden. */
  paths: string[];
}

export function sceneOf({ days, series }: Stack, isShown: (place: number) => boolean, size: Size): StackScene {
  const sums = days.map((_, day) => series.reduce((sum, one, place) => sum + (isShown(place) ? (one.amounts[day] ?? 0) : 0), 0));
  const draft = frameOf(size, 0, false);
  const y = scaleLinear([0, max(sums) || 1], [draft.below.bottom, draft.below.top]).nice(4);
  const ticks = max(sums) ? ticksOf(y, 4) : [{ y: draft.below.bottom, label: "$0" }];
  const gutter = (max(ticks, (tick) => textWidth(tick.label, size.em)) ?? 0) + 0.7 * size.em;
  const frame = frameOf(size, gutter, false);
  const span = { from: days[0] ?? 0, to: (days.at(-1) ?? 0) + DAY };
  const x = scaleLinear([span.from, span.to], [frame.left, frame.right]);
  // A day's name stands below the middle of its bar.
  const middle = scaleLinear([span.from - DAY / 2, span.to - DAY / 2], [frame.left, frame.right]);
  const each = (frame.right - frame.left) / Math.max(days.length, 1);
  const width = Math.max(each - Math.min(each * 0.2, 6), 1);
  const left = (day: number) => round(frame.left + each * day + (each - width) / 2);
  const below = days.map(() => 0);
  const paths = series.map(({ amounts }, place) => {
    if (!isShown(place)) return "";
    return amounts
      .map((amount, day) => {
        const from = below[day] ?? 0;
        below[day] = from + amount;
        return amount > 0 ? `M${left(day)} ${round(y(from))}h${round(width)}V${round(y(from + amount))}h-${round(width)}Z` : "";
      })
      .join("");
  });
  const most = clamp(Math.floor((frame.right - frame.left) / (size.em * (size.width < 34 * size.em ? 4 : 9))), 2, 8);
  return {
    frame,
    x,
    y,
    ticks,
    times: timesOf(span, middle, most, size.em, size.width),
    bars: sums.map((sum, day) => ({ x: left(day), y: y(sum), width, height: frame.below.bottom - y(sum), isEstimated: false })),
    paths,
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

const LONGEST_NAME = 36;

/** A stop for each day: its name, what was spent, and on what. `name`: of a day, by its index. */
export function stopsOf({ days, series }: Stack, isShown: (place: number) => boolean, name: (day: number) => string): Stop[] {
  return days.map((begin, day) => {
    const shown = series.filter((one, place) => isShown(place) && (one.amounts[day] ?? 0) > 0);
    const sum = shown.reduce((total, one) => total + (one.amounts[day] ?? 0), 0);
    const parts = shown.map((one) => `${usd(one.amounts[day])} ${cut(one.name, LONGEST_NAME)}`);
    return { at: begin + DAY / 2, usd: null, bar: day, words: () => [name(day), `${usd(sum)} spent`, ...(parts.length > 1 || shown.length < series.length ? parts : [])] };
  });
}
