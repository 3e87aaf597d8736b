// The ring, on a canvas.

import { ArcElement, Chart, DoughnutController } from "chart.js";
import { usd } from "../format";
import type { Colour } from "../words";
import { onThemeChange } from "../theme";
import { colour, motion } from "./paint";
import { Tooltip } from "./tooltip";

Chart.register(DoughnutController, ArcElement);

export interface Ring {
  used: number;
  remaining: number;
  colour: Colour;
  /** Which of the two is drawn: the legend's buttons. */
  shown: boolean[];
}

export class DonutChart {
  private readonly chart: Chart<"doughnut">;
  private readonly tooltip: Tooltip;
  private readonly forgetTheme: () => void;

  constructor(
    canvas: HTMLCanvasElement,
    tooltip: HTMLElement,
    private ring: Ring,
  ) {
    this.tooltip = new Tooltip(tooltip, (index) => [
      index === 0 ? `Used: ${usd(this.ring.used)}` : `Remaining: ${usd(this.ring.remaining)}`,
    ]);
    this.chart = new Chart<"doughnut">(canvas, {
      type: "doughnut",
      data: { labels: ["Used", "Remaining"], datasets: [{ data: [], borderWidth: 0, hoverOffset: 6 }] },
      plugins: [this.tooltip],
      options: {
        cutout: "76%",
        layout: { padding: 2 },
        responsive: true,
        maintainAspectRatio: false,
        animation: motion(),
      },
    });
    this.show(ring);
    this.forgetTheme = onThemeChange(() => this.show(this.ring));
  }

  show(ring: Ring): void {
    this.ring = ring;
    const dataset = this.chart.data.datasets[0];
    if (dataset === undefined) return;
    dataset.data = [ring.used, ring.remaining];
    dataset.backgroundColor = [colour("used"), colour(ring.colour)];
    dataset.hoverBackgroundColor = dataset.backgroundColor;
    // A seam only where two parts meet.
    dataset.spacing = ring.used > 0 && ring.remaining > 0 && !ring.shown.includes(false) ? 1 : 0;
    ring.shown.forEach((isShown, index) => {
      if (this.chart.getDataVisibility(index) !== isShown) this.chart.toggleDataVisibility(index);
    });
    this.chart.update();
  }

  /** Highlights a part, with its tooltip, as hovering over it does; null ends that. */
  highlight(index: number | null): void {
    const isDrawn = index !== null && this.ring.shown[index] === true;
    const active = isDrawn ? [{ datasetIndex: 0, index }] : [];
    this.chart.setActiveElements(active);
    this.chart.update();
    this.tooltip.show(this.chart as unknown as Chart);
  }

  destroy(): void {
    this.forgetTheme();
    this.chart.destroy();
  }
}
