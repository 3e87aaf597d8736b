// What stands below the chart: every limit, the ring, the events, and spend beside the key's own. Loaded after the number.

import { Donut } from "./donut";
import { EventsPlace } from "./events-place";
import { Byok, FreeRequests, hasByok, hasFreeRequests } from "./extras";
import { zoneName } from "./format";
import { Limits } from "./limits";
import type { Held } from "./clock";
import type { SnapshotEvent } from "./generated";
import { isFreeOnly, limitingBudget } from "./words";
import "./styles/later.css";
import "./styles/parts.css";

export function Parts({ held, events }: { held: Held; events: SnapshotEvent[] }) {
  const { balance } = held;
  const budget = limitingBudget(balance);
  const hasFree = hasFreeRequests(balance) && !isFreeOnly(balance);
  const hasSide = budget !== null || hasByok(balance) || hasFree;
  return (
    <>
      <div class={hasSide ? "parts sided" : "parts"}>
        <div class="column">
          <Limits held={held} />
          <EventsPlace held={held} live={events} />
        </div>
        {hasSide && (
          <div class="column">
            {budget !== null && <Donut balance={balance} budget={budget} />}
            {hasByok(balance) && <Byok balance={balance} />}
            {hasFree && <FreeRequests balance={balance} />}
          </div>
        )}
      </div>
      <p class="foot soft" data-testid="zone">
        Times are in {zoneName()}; days, weeks and months of usage are UTC’s.
      </p>
    </>
  );
}
