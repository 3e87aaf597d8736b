// A figure: a canvas with its text, and the same numbers as a table for readers who cannot see it.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface Drawn<Data> {
  show(data: Data): void;
  destroy(): void;
}

interface Figure<Data> {
  name: string;
  heading: ComponentChildren;
  /** The chart in words. */
  words: string;
  data: Data;
  draw: new (canvas: HTMLCanvasElement, tooltip: HTMLElement, data: Data) => Drawn<Data>;
  table: () => ComponentChildren;
}

export function ChartFigure<Data>({ name, heading, words, data, draw, table }: Figure<Data>) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const tooltip = useRef<HTMLDivElement>(null);
  const chart = useRef<Drawn<Data> | null>(null);
  const [isOpen, setOpen] = useState(false);

  useEffect(() => {
    if (canvas.current === null || tooltip.current === null) return undefined;
    chart.current = new draw(canvas.current, tooltip.current, data);
    return () => chart.current?.destroy();
  }, [draw]);
  useEffect(() => chart.current?.show(data), [data]);

  return (
    <div class="figure-box" data-testid={name}>
      <h3>{heading}</h3>
      <div class="chart">
        <canvas ref={canvas} role="img" aria-label={words} />
        <div ref={tooltip} class="tooltip" hidden />
      </div>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>As a table</summary>
        {isOpen && (
          // A long table scrolls within itself, also by keyboard.
          <div class="scroll" tabIndex={0} role="region" aria-label={`${words} As a table.`} data-testid={`${name}-table`}>
            {table()}
          </div>
        )}
      </details>
    </div>
  );
}
