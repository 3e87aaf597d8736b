// Spend of some days as a small line, without an axis: its words tell the newest and the most.

import { usd } from "../format";

const WIDTH = 84;
const HEIGHT = 20;

export function Sparkline({ days }: { days: readonly (number | null)[] }) {
  const known = days.filter((one) => one !== null);
  if (known.length === 0) return null;
  const most = Math.max(...known);
  const words = `${known.length} of ${days.length} days watched, at most ${usd(most)} a day, today ${usd(days.at(-1))}`;
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={words}>
      <path d={lineOf(days, most)} />
    </svg>
  );
}

/** From zero to the most; interrupted where nobody watched. */
export function lineOf(days: readonly (number | null)[], most: number): string {
  const step = WIDTH / Math.max(days.length - 1, 1);
  return days
    .map((spent, at) => {
      if (spent === null) return "";
      const point = `${round(at * step)} ${round(HEIGHT - 2 - (most === 0 ? 0 : (spent / most) * (HEIGHT - 4)))}`;
      const isContinued = typeof days[at - 1] === "number";
      // A day alone is a dot: a line without length has round ends.
      return isContinued ? `L${point}` : `M${point}h0`;
    })
    .join("");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
