// The axes of a chart: amounts on the left, times below.

import type { ScaleLinear } from "d3-scale";
import { usdTick } from "../format";
import { fitting, type Label } from "./labels";
import { type Span, timeMarks } from "./range";

export interface Tick {
  y: number;
  label: string;
}

export function ticksOf(scale: ScaleLinear<number, number>, count: number): Tick[] {
  const values = scale.ticks(count);
  const step = (values[1] ?? 1) - (values[0] ?? 0);
  return values.map((value) => ({ y: scale(value), label: usdTick(value, step) }));
}

/** As many times as fit beside each other, at equal steps. */
export function timesOf(span: Span, x: ScaleLinear<number, number>, count: number, em: number, width: number): Label[] {
  let best: Label[] = [];
  for (let most = count; most >= 2 && best.length < most; most -= 1) {
    const labels = timeMarks(span, most).map(({ at, label }) => ({ x: x(at), text: label }));
    for (const step of [1, 2, 3]) {
      const every = labels.filter((_, index) => index % step === 0);
      const fits = fitting(every, em, 0, width);
      if (fits.length === every.length && fits.length > best.length) best = fits;
    }
  }
  return best;
}
