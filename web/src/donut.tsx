// The ring of what was used and what remains in this period; drawn when the chart code has arrived.

import { useEffect, useRef, useState } from "preact/hooks";
import type { DonutChart } from "./charts/donut";
import { inWords, percent, usd } from "./format";
import type { Balance, Budget } from "./generated";
import { barColour, budgetLevel, budgetName } from "./words";

const USED = 0;
const REMAINING = 1;

export function Donut({ balance, budget }: { balance: Balance; budget: Budget }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const tooltip = useRef<HTMLDivElement>(null);
  const chart = useRef<DonutChart | null>(null);
  const [shown, setShown] = useState([true, true]);

  const colour = barColour(budget.percentRemaining, budgetLevel(budget, balance));
  // A ring cannot show a negative amount; the legend does.
  const used = Math.max(budget.spent, 0);
  const remaining = Math.max(budget.remaining, 0);
  const latest = useRef({ used, remaining, colour, shown });
  latest.current = { used, remaining, colour, shown };

  useEffect(() => {
    let isGone = false;
    import("./charts/donut").then(
      ({ DonutChart }) => {
        if (isGone || canvas.current === null || tooltip.current === null) return;
        chart.current = new DonutChart(canvas.current, tooltip.current, latest.current);
      },
      () => undefined, // the legend shows the same
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
  const share = percent(budget.percentRemaining, budget.remaining);
  const entries: [string, number, number][] = [
    ["Used", USED, budget.spent],
    ["Remaining", REMAINING, budget.remaining],
  ];
  return (
    <section class="card donut-card">
      <h2>
        {heading(budget)} <span class="soft">{budgetName(budget, balance)}</span>
      </h2>
      <div class="donut-row">
        <div class={used + remaining > 0 ? "donut" : "donut empty"} data-testid="donut" data-colour={colour}>
          <canvas
            ref={canvas}
            role="img"
            aria-label={`${usd(budget.spent)} used and ${usd(budget.remaining)} remaining of ${usd(budget.limit)}; ${share} left.`}
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

function heading(budget: Budget): string {
  if (budget.resetPeriod === null) return "So far";
  return PERIODS[budget.resetPeriod] ?? `This period (${inWords(budget.resetPeriod)})`;
}
