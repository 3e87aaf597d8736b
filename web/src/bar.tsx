// A meter of what is left of a budget.

import { percent, usd } from "./format";
import type { Budget } from "./generated";
import type { Colour } from "./words";

interface Meter {
  name: string;
  budget: Pick<Budget, "limit" | "remaining" | "percentRemaining">;
  colour: Colour;
  testid?: string;
}

export function Bar({ name, budget, colour, testid }: Meter) {
  const width = Math.min(Math.max(budget.percentRemaining, 0), 100);
  return (
    <div
      class="bar"
      role="meter"
      aria-label={`Left of the ${name}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={width}
      aria-valuetext={`${usd(budget.remaining)} of ${usd(budget.limit)} left, ${percent(budget.percentRemaining, budget.remaining)}`}
      data-colour={colour}
      {...(testid === undefined ? {} : { "data-testid": testid })}
    >
      <div style={{ width: `${width}%` }} />
    </div>
  );
}
