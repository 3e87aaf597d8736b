// The events, of the history that the chart asks for.

import type { Held } from "./clock";
import { Events } from "./events";
import type { SnapshotEvent } from "./generated";
import { LOADING, useKnownHistory } from "./history-feed";

export function EventsPlace({ held, live }: { held: Held; live: SnapshotEvent[] }) {
  const { history, note } = useKnownHistory();
  const isComing = history === null && note === LOADING;
  return <Events held={held} recorded={isComing ? null : (history?.events ?? [])} live={live} />;
}
