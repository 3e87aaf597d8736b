// The bars of what was spent in each interval.

import { BarController, BarElement, CategoryScale, Chart, LinearScale } from "chart.js";
import { usd, usdTick } from "../format";
import { onThemeChange } from "../theme";
import { paintAxes } from "./left";
import { colour, motion } from "./paint";
import { Tooltip } from "./tooltip";

Chart.register(BarController, BarElement, CategoryScale, LinearScale);

export interface SpendBar {
  /** Below the bar. */
  label: string;
  /** In its tooltip. */
  title: string;
  usd: number | null;
  estimated: boolean;
}

export class SpendChart {
  private readonly chart: Chart<"bar", (number | null)[], string>;
  private readonly forgetTheme: () => void;

  constructor(
    canvas: HTMLCanvasElement,
    tooltip: HTMLElement,
    private bars: SpendBar[],
  ) {
    this.chart = new Chart<"bar", (number | null)[], string>(canvas, {
      type: "bar",
      data: { datasets: [{ data: [], borderRadius: 3, maxBarThickness: 36, categoryPercentage: 0.9, barPercentage: 0.85 }] },
      plugins: [new Tooltip(tooltip, (index) => inWords(this.bars[index]))],
      options: {
        responsive: true,
        maintainAspectRatio: false,
        animation: motion(),
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkip: true, autoSkipPadding: 16 } },
          y: {
            beginAtZero: true,
            ticks: {
              maxTicksLimit: 6,
              callback: (value, _index, ticks) => usdTick(Number(value), Math.abs((ticks[1]?.value ?? 1) - (ticks[0]?.value ?? 0))),
            },
          },
        },
      },
    });
    this.show(bars);
    this.forgetTheme = onThemeChange(() => this.show(this.bars));
  }

  show(bars: SpendBar[]): void {
    this.bars = bars;
    const dataset = this.chart.data.datasets[0];
    if (dataset === undefined) return;
    this.chart.data.labels = bars.map((bar) => bar.label);
    dataset.data = bars.map((bar) => bar.usd);
    const line = colour("line");
    // What is estimated is an outline, and "~" in the table: never colour alone.
    dataset.backgroundColor = bars.map((bar) => (bar.estimated ? `${line}33` : line));
    dataset.borderColor = line;
    dataset.borderWidth = bars.map((bar) => (bar.estimated ? 1 : 0)) as never;
    paintAxes(this.chart as unknown as Chart);
    this.chart.update();
  }

  destroy(): void {
    this.forgetTheme();
    this.chart.destroy();
  }
}

function inWords(bar: SpendBar | undefined): string[] {
  if (bar === undefined) return [];
  return [bar.title, bar.estimated ? `about ${usd(bar.usd)} spent (estimated)` : `${usd(bar.usd)} spent`];
}
