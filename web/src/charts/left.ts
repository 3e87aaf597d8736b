// The line of what was left.

import { Chart, LinearScale, LineController, LineElement, PointElement } from "chart.js";
import { instant, usd, usdTick } from "../format";
import { onThemeChange } from "../theme";
import { colour, font, motion } from "./paint";
import { timeTicks } from "./ticks";
import { Tooltip } from "./tooltip";

Chart.register(LineController, LineElement, PointElement, LinearScale);

/** Milliseconds and dollars; null where nothing limited the key, or nothing is known. */
export interface Mark {
  x: number;
  y: number | null;
}

export class LeftChart {
  private readonly chart: Chart<"line", Mark[]>;
  private readonly forgetTheme: () => void;

  constructor(
    canvas: HTMLCanvasElement,
    tooltip: HTMLElement,
    private marks: Mark[],
  ) {
    this.chart = new Chart<"line", Mark[]>(canvas, {
      type: "line",
      data: { datasets: [{ data: [], borderWidth: 2, pointRadius: 0, pointHoverRadius: 4, pointHitRadius: 12 }] },
      plugins: [
        new Tooltip(tooltip, (index) => {
          const mark = this.marks[index];
          return mark === undefined ? [] : [instant(new Date(mark.x).toISOString(), this.marks.at(-1)?.x ?? mark.x), `${usd(mark.y)} left`];
        }),
      ],
      options: {
        responsive: true,
        maintainAspectRatio: false,
        animation: motion(),
        // The pointer selects the point nearest in time; they are few and in order.
        interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: {
          x: {
            type: "linear",
            afterBuildTicks: (axis) => {
              axis.ticks = timeTicks(axis.min, axis.max, Math.max(Math.floor(axis.chart.width / 60), 3)).map(({ at, label }) => ({
                value: at,
                label,
              }));
            },
            ticks: { callback: (_value, index, ticks) => ticks[index]?.label ?? "", maxRotation: 0, autoSkip: false },
            grid: { display: false },
          },
          y: {
            ticks: {
              maxTicksLimit: 6,
              callback: (value, _index, ticks) => usdTick(Number(value), Math.abs((ticks[1]?.value ?? 1) - (ticks[0]?.value ?? 0))),
            },
          },
        },
      },
    });
    this.show(marks);
    this.forgetTheme = onThemeChange(() => this.show(this.marks));
  }

  show(marks: Mark[]): void {
    this.marks = marks;
    const dataset = this.chart.data.datasets[0];
    const { x, y } = this.chart.options.scales ?? {};
    if (dataset === undefined || x === undefined || y === undefined) return;
    dataset.data = marks;
    dataset.borderColor = colour("line");
    dataset.pointHoverBackgroundColor = colour("line");
    x.min = marks[0]?.x ?? 0;
    x.max = marks.at(-1)?.x ?? 1;
    // Not from zero, which would hide a small change of a large number.
    const known = marks.flatMap((mark) => (mark.y === null ? [] : [mark.y]));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const margin = (high - low) / 10 || Math.max(Math.abs(high) / 10, 0.01);
    Object.assign(y, { suggestedMin: low >= 0 ? Math.max(low - margin, 0) : low - margin, suggestedMax: high + margin });
    paintAxes(this.chart as unknown as Chart);
    this.chart.update();
  }

  destroy(): void {
    this.forgetTheme();
    this.chart.destroy();
  }
}

/** Gives both axes the page's colours. */
export function paintAxes(chart: Chart): void {
  for (const axis of Object.values(chart.options.scales ?? {})) {
    if (axis === undefined) continue;
    Object.assign(axis.ticks ?? {}, { color: colour("soft"), font: font() });
    Object.assign(axis.grid ?? {}, { color: colour("rule") });
    if ("border" in axis) Object.assign(axis.border ?? {}, { color: colour("rule") });
  }
}
