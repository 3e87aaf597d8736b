// The ring of what was used and what remains in this period; drawn when the chart code has arrived.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Balance, Layer } from "./balance";
import type { DonutChart } from "./charts/donut";
import { inWords, percent, scopeInWords, usd } from "./format";
import { barColour } from "./level";

const USED = 0;
const REMAINING = 1;

export function Donut({ balance, layer }: { balance: Balance; layer: Layer }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const tooltip = useRef<HTMLDivElement>(null);
  const chart = useRef<DonutChart | null>(null);
  const [shown, setShown] = useState([true, true]);

  const colour = barColour(layer.percentRemaining, balance.level);
  // A ring has no room for less than nothing; the legend says it.
  const used = Math.max(layer.spent, 0);
  const remaining = Math.max(layer.remaining, 0);
  const latest = useRef({ used, remaining, colour, shown });
  latest.current = { used, remaining, colour, shown };

  useEffect(() => {
    let isGone = false;
    import("./charts/donut").then(
      ({ DonutChart }) => {
        if (isGone || canvas.current === null || tooltip.current === null) return;
        chart.current = new DonutChart(canvas.current, tooltip.current, latest.current);
      },
      () => undefined, // the legend tells the same
    );
    return () => {
      isGone = true;
      chart.current?.destroy();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    chart.current?.show({ used, remaining, colour, shown });
  }, [used, remaining, colour, shown]);

  const toggle = (index: number) => setShown(shown.map((is, other) => (other === index ? !is : is)));
  const share = percent(layer.percentRemaining, layer.remaining);
  const entries: [string, number, number][] = [
    ["Used", USED, layer.spent],
    ["Remaining", REMAINING, layer.remaining],
  ];
  return (
    <section class="card donut-card">
      <h2>
        {heading(layer)} <span class="soft">{scopeInWords(layer.scope)}</span>
      </h2>
      <div class="donut-row">
        <div class={used + remaining > 0 ? "donut" : "donut empty"} data-testid="donut" data-colour={colour}>
          <canvas
            ref={canvas}
            role="img"
            aria-label={`${usd(layer.spent)} used and ${usd(layer.remaining)} remaining of ${usd(layer.limit)}; ${share} left.`}
          />
          <p class="donut-middle">
            <span class="donut-percent" data-testid="donut-percent">
              {share}
            </span>
            <span class="soft">left</span>
          </p>
          <div ref={tooltip} class="tooltip" data-testid="tooltip" hidden />
        </div>
        <ul class="legend">
          {entries.map(([name, index, amount]) => (
            <li key={name}>
              <button
                type="button"
                aria-pressed={shown[index] === true}
                data-testid={`legend-${name.toLowerCase()}`}
                onClick={() => toggle(index)}
                onMouseEnter={() => chart.current?.highlight(index)}
                onMouseLeave={() => chart.current?.highlight(null)}
                onFocus={() => chart.current?.highlight(index)}
                onBlur={() => chart.current?.highlight(null)}
              >
                <span class="swatch" data-colour={index === USED ? "used" : colour} />
                <span class="legend-name">{name}</span>
                <span class="number">{usd(amount)}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

const PERIODS: Record<string, string> = { daily: "Today", weekly: "This week", monthly: "This month" };

function heading(layer: Layer): string {
  if (layer.resetPeriod === null) return "So far";
  return PERIODS[layer.resetPeriod] ?? `This period (${inWords(layer.resetPeriod)})`;
}
