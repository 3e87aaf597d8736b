// What stands below the chart: every limit, the ring, the events, and spend beside the key's own. Loaded after the number.

import { Donut } from "./donut";
import { EventsPlace } from "./events-place";
import { Byok, FreeRequests } from "./extras";
import { zoneName } from "./format";
import { Limits } from "./limits";
import type { Held } from "./clock";
import type { SnapshotEvent } from "./generated";
import { isFreeOnly, limitingBudget } from "./words";
import "./styles/parts.css";

export function Parts({ held, events }: { held: Held; events: SnapshotEvent[] }) {
  const { balance } = held;
  const budget = limitingBudget(balance);
  return (
    <>
      <div class={budget === null ? "parts" : "parts three"}>
        <div class="stack">
          <Limits held={held} />
          <Byok balance={balance} />
          {!isFreeOnly(balance) && <FreeRequests balance={balance} />}
        </div>
        {budget !== null && <Donut balance={balance} budget={budget} />}
        <EventsPlace held={held} live={events} />
      </div>
      <p class="foot soft" data-testid="zone">
        Times are in {zoneName()}; days, weeks and months of usage are UTC’s.
      </p>
    </>
  );
}
