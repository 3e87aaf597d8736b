// What happened to the key, newest first: from the history, and what has come since.

import type { Held } from "./clock";
import { capitalized, instant } from "./format";
import type { SnapshotEvent } from "./generated";
import { useDocumentNow } from "./ticking";

interface Shown {
  held: Held;
  /** Null while the history has not answered. */
  recorded: SnapshotEvent[] | null;
  /** Why it cannot be had; null where it has answered, or may yet. */
  whyNot: string | null;
  /** Of this connection, oldest first. */
  live: SnapshotEvent[];
}

const NOTHING_YET = "Nothing has happened yet: no reset, no change of the level, no fault.";

/** Old ones are in the history's own answer; a list longer than this is not read. */
const MOST = 50;

/** Milliseconds: the same event is recorded a moment after it was noticed. */
const SAME = 5_000;

export function Events({ held, recorded, whyNot, live }: Shown) {
  const now = useDocumentNow(held);
  const events = merged(recorded ?? [], live);
  return (
    <section class="card events" data-testid="events">
      <h2>
        Events <span class="soft">of the last 90 days</span>
      </h2>
      {events.length === 0 ? (
        <p class="soft">{recorded === null ? (whyNot ?? "Loading…") : NOTHING_YET}</p>
      ) : (
        // A long list scrolls within itself, also by keyboard.
        <ul tabIndex={0} aria-label="Events, newest first">
          {events.map((event) => (
            <li key={`${event.at} ${event.kind} ${event.text}`} data-testid="event" data-kind={event.kind}>
              <time class="soft" dateTime={event.at}>
                {instant(event.at, now)}
              </time>
              <span class={event.isWorse ? "red" : ""}>{capitalized(event.text)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Both, newest first, each event once. */
export function merged(recorded: SnapshotEvent[], live: SnapshotEvent[]): SnapshotEvent[] {
  const fresh = live.filter((event) => !recorded.some((one) => isSame(one, event)));
  return [...recorded, ...fresh].sort((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, MOST);
}

function isSame(one: SnapshotEvent, other: SnapshotEvent): boolean {
  return one.kind === other.kind && one.text === other.text && Math.abs(Date.parse(one.at) - Date.parse(other.at)) <= SAME;
}
