// What the colours of the stacked bars mean: each name is a button that hides or shows its part, and highlights it.

import { usd } from "../format";
import type { Series } from "./stack";
import { cut } from "./strip";

interface Shown {
  series: Series[];
  hasOthers: boolean;
  isShown: (place: number) => boolean;
  onToggle: (id: string) => void;
  onLight: (place: number | null) => void;
}

export function Legend({ series, hasOthers, isShown, onToggle, onLight }: Shown) {
  return (
    <ul class="account-legend" data-testid="account-legend">
      {series.map(({ id, name, total }, place) => (
        <li key={id}>
          <button
            type="button"
            aria-pressed={isShown(place)}
            title={name}
            onClick={() => onToggle(id)}
            onMouseEnter={() => onLight(place)}
            onMouseLeave={() => onLight(null)}
            onFocus={() => onLight(place)}
            onBlur={() => onLight(null)}
          >
            <i class="series" data-series={hasOthers && place === series.length - 1 ? "others" : place} aria-hidden="true" />
            <span class="series-name">{cut(name)}</span>
            <strong class="number">{usd(total)}</strong>
          </button>
        </li>
      ))}
    </ul>
  );
}
