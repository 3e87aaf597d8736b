import { Events } from "./events";
import type { Held } from "./clock";
import type { SnapshotEvent } from "./generated";

export function EventsPlace({ held, live }: { held: Held; live: SnapshotEvent[] }) {
  return <Events held={held} recorded={[]} live={live} />;
}
