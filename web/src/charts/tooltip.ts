// The tooltip of all charts: an element of the page, not part of the canvas, so that it can be read, scaled and tested.
// It takes a tenth of the code of Chart.js's own.

import type { ActiveElement, Chart, Plugin } from "chart.js";

export class Tooltip implements Plugin {
  readonly id = "tooltip-element";

  /** `lines` gives the words for what is under the pointer, the first of them a heading. */
  constructor(
    private readonly element: HTMLElement,
    private readonly lines: (index: number) => string[],
  ) {}

  /** Chart.js calls this after every event of the pointer. */
  afterEvent(chart: Chart): void {
    this.show(chart);
  }

  /** Shows the chart's active elements. */
  show(chart: Chart<never> | Chart): void {
    const active: ActiveElement | undefined = chart.getActiveElements()[0];
    this.element.hidden = active === undefined;
    if (active === undefined) return;
    const rows = this.lines(active.index).map((line) => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    });
    this.element.replaceChildren(...rows);
    // Beside the point, but never beyond the chart's edges.
    const { x, y } = active.element.tooltipPosition(true);
    const free = Math.max(chart.width - this.element.offsetWidth, 0);
    const left = Math.min(Math.max((x ?? 0) - this.element.offsetWidth / 2, 0), free);
    const above = (y ?? 0) - this.element.offsetHeight - 10;
    const top = above >= 0 ? above : (y ?? 0) + 14;
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
