// The ring of what was used and what remains of a budget in this period.

import "./donut.css";
import { useState } from "preact/hooks";
import { inWords, percent, usd } from "./format";
import type { Balance, Budget } from "./generated";
import { barColour, budgetLevel, budgetName } from "./words";

const NAMES = ["Used", "Remaining"] as const;
type Name = (typeof NAMES)[number];

interface Arc {
  name: Name;
  amount: number;
  /** Percent of the ring. */
  start: number;
  share: number;
}

/** The parts that are drawn, from the top clockwise; a ring cannot show a negative amount, but its legend does. */
export function arcs(budget: Pick<Budget, "spent" | "remaining">, isShown: Record<Name, boolean>): Arc[] {
  const amounts: Record<Name, number> = { Used: budget.spent, Remaining: budget.remaining };
  const shown = NAMES.filter((name) => isShown[name] && amounts[name] > 0);
  const all = shown.reduce((sum, name) => sum + amounts[name], 0);
  let start = 0;
  return shown.map((name) => {
    const arc = { name, amount: amounts[name], start, share: (amounts[name] / all) * 100 };
    start += arc.share;
    return arc;
  });
}

export function Donut({ balance, budget }: { balance: Balance; budget: Budget }) {
  const [isShown, setShown] = useState<Record<Name, boolean>>({ Used: true, Remaining: true });
  const [lit, setLit] = useState<Name | null>(null);
  const colour = barColour(budget.percentRemaining, budgetLevel(budget, balance));
  const drawn = arcs(budget, isShown);
  const share = percent(budget.percentRemaining, budget.remaining);
  const highlighted = drawn.find((arc) => arc.name === lit);
  return (
    <section class="card donut-card">
      <h2>
        {heading(budget)} <span class="soft">{budgetName(budget, balance)}</span>
      </h2>
      <div class="donut-row">
        <div class="donut" data-testid="donut" data-colour={colour}>
          <svg
            viewBox="0 0 100 100"
            role="img"
            aria-label={`${usd(budget.spent)} used and ${usd(budget.remaining)} remaining of ${usd(budget.limit)}; ${share} left.`}
          >
            <circle cx={50} cy={50} r={43} />
            {drawn.map((arc) => (
              <Part
                key={arc.name}
                arc={arc}
                isAlone={drawn.length === 1}
                isLit={arc.name === lit}
                colour={arc.name === "Used" ? "used" : colour}
                onLight={setLit}
              />
            ))}
          </svg>
          <p class="donut-middle">
            <span class="donut-percent" data-testid="donut-percent">
              {share}
            </span>
            <span class="soft">left</span>
          </p>
          {highlighted !== undefined && <Tooltip arc={highlighted} />}
        </div>
        <ul class="legend">
          {NAMES.map((name) => (
            <li key={name}>
              <button
                type="button"
                aria-pressed={isShown[name]}
                data-testid={`legend-${name.toLowerCase()}`}
                onClick={() => setShown({ ...isShown, [name]: !isShown[name] })}
                onMouseEnter={() => setLit(name)}
                onMouseLeave={() => setLit(null)}
                onFocus={() => setLit(name)}
                onBlur={() => setLit(null)}
              >
                <span class="swatch" data-colour={name === "Used" ? "used" : colour} />
                <span class="legend-name">{name}</span>
                <span class="number">{usd(name === "Used" ? budget.spent : budget.remaining)}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

interface Drawn {
  arc: Arc;
  isAlone: boolean;
  isLit: boolean;
  colour: string;
  onLight: (name: Name | null) => void;
}

/** A part of the ring, as a dash of a circle 100 long; with a seam where two meet. */
function Part({ arc, isAlone, isLit, colour, onLight }: Drawn) {
  const seam = isAlone ? 0 : Math.min(0.8, arc.share / 2);
  return (
    <circle
      class={isLit ? "donut-part lit" : "donut-part"}
      data-colour={colour}
      cx={50}
      cy={50}
      r={43}
      pathLength={100}
      stroke-dasharray={`${arc.share - seam} ${100 - arc.share + seam}`}
      stroke-dashoffset={-(arc.start + seam / 2)}
      transform="rotate(-90 50 50)"
      onMouseEnter={() => onLight(arc.name)}
      onMouseLeave={() => onLight(null)}
    />
  );
}

/** Beside the middle of its part. */
function Tooltip({ arc }: { arc: Arc }) {
  const angle = ((arc.start + arc.share / 2) / 100) * 2 * Math.PI;
  const [x, y] = [50 + 43 * Math.sin(angle), 50 - 43 * Math.cos(angle)];
  return (
    <div class={y > 50 ? "tooltip under" : "tooltip"} style={{ left: `${x}%`, top: `${y}%` }} data-testid="tooltip">
      {arc.name}: {usd(arc.amount)}
    </div>
  );
}

const PERIODS: Record<string, string> = { daily: "Today", weekly: "This week", monthly: "This month" };

function heading(budget: Budget): string {
  if (budget.resetPeriod === null) return "So far";
  return PERIODS[budget.resetPeriod] ?? `This period (${inWords(budget.resetPeriod)})`;
}
