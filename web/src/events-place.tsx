// The events, of the history that the chart asks for.

import type { Held } from "./clock";
import { Events } from "./events";
import type { SnapshotEvent } from "./generated";
import { LOADING, useKnownHistory } from "./history-feed";

export function EventsPlace({ held, live }: { held: Held; live: SnapshotEvent[] }) {
  const { events, note } = useKnownHistory();
  const whyNot = events === null && note !== LOADING ? note : null;
  return <Events held={held} recorded={events} whyNot={whyNot} live={live} />;
}
