// Spend of some days as a small line, without an axis: its words tell the newest and the most.

import { usd } from "../format";

const WIDTH = 84;
const HEIGHT = 20;

/** Room for the line's own width, and for a day alone. */
const MARGIN = 2;

export function Sparkline({ days }: { days: readonly (number | null)[] }) {
  const known = days.filter((one) => one !== null);
  if (known.length === 0) return null;
  const most = Math.max(...known);
  const words = `${known.length} of ${days.length} days known, at most ${usd(most)} a day, today ${usd(days.at(-1))}`;
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={words}>
      <path d={lineOf(days, most)} />
    </svg>
  );
}

/** From zero to the most; interrupted where that is not known, so that a day alone is a dot. */
export function lineOf(days: readonly (number | null)[], most: number): string {
  const step = (WIDTH - 2 * MARGIN) / Math.max(days.length - 1, 1);
  return days
    .map((spent, at) => {
      if (spent === null) return "";
      const part = most === 0 ? 0 : spent / most;
      const [x, y] = [round(MARGIN + at * step), round(HEIGHT - MARGIN - part * (HEIGHT - 2 * MARGIN))];
      if (typeof days[at - 1] === "number") return `L${x} ${y}`;
      return typeof days[at + 1] === "number" ? `M${x} ${y}` : `M${x - 1} ${y}h2`;
    })
    .join("");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
