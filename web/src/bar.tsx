// A meter of what is left of a layer.

import type { Layer } from "./balance";
import { percent, usd } from "./format";
import type { Colour } from "./level";

interface Meter {
  name: string;
  layer: Layer;
  colour: Colour;
  testid?: string;
}

export function Bar({ name, layer, colour, testid }: Meter) {
  const width = Math.min(Math.max(layer.percentRemaining, 0), 100);
  return (
    <div
      class="bar"
      role="meter"
      aria-label={`Left of the ${name}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={width}
      aria-valuetext={`${usd(layer.remaining)} of ${usd(layer.limit)} left, ${percent(layer.percentRemaining, layer.remaining)}`}
      data-colour={colour}
      {...(testid === undefined ? {} : { "data-testid": testid })}
    >
      <div style={{ width: `${width}%` }} />
    </div>
  );
}
