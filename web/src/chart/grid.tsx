// The lines behind a chart, each with its amount, and the zero line.

import type { Tick } from "./axes";
import type { Frame, Part } from "./frame";

export function Grid({ frame, ticks }: { frame: Frame; ticks: Tick[] }) {
  const { left, right, em } = frame;
  return (
    <g class="chart-grid">
      {ticks.map(({ y, label }) => (
        <g key={`${y} ${label}`}>
          <line x1={left} x2={right} y1={y} y2={y} />
          <text x={left - 0.6 * em} y={y + 0.35 * em} text-anchor="end">
            {label}
          </text>
        </g>
      ))}
    </g>
  );
}

export function Zero({ part, left, right }: { part: Part; left: number; right: number }) {
  return <line class="chart-zero" x1={left} x2={right} y1={part.bottom} y2={part.bottom} />;
}
