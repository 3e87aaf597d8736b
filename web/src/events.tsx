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

/**
 * Milliseconds between the times of the same event: another process may have seen and recorded it first, within minutes,
 * or within hours where it is one that a process that polls hourly sees as well. `orcredit.history.events`.
 */
const MINUTES = 300_000;
const HOURS = 7_200_000;
const WITHIN_HOURS = new Set(["level", "reset"]);

/** Kinds with an amount that falls all the time: two processes tell another one. */
const WITH_AMOUNTS = new Set(["reset", "credit", "runaway"]);

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
  const left = [...recorded];
  const fresh = live.filter((event) => {
    const like = left.filter((one) => isSame(one, event));
    const nearest = like.sort((a, b) => apart(a, event) - apart(b, event))[0];
    // Each recorded one is one event: "low", "ok" and "low" again are three.
    if (nearest !== undefined) left.splice(left.indexOf(nearest), 1);
    return nearest === undefined;
  });
  return [...recorded, ...fresh].sort((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, MOST);
}

function isSame(one: SnapshotEvent, other: SnapshotEvent): boolean {
  const within = WITHIN_HOURS.has(one.kind) ? HOURS : MINUTES;
  return one.kind === other.kind && subject(one) === subject(other) && apart(one, other) <= within;
}

function subject({ kind, text, isWorse }: SnapshotEvent): string {
  // Without amounts, and what comes of them: what is left names what it is about.
  return WITH_AMOUNTS.has(kind) ? `${isWorse} ${text.replace(/(:|, [\d,]+ ×).*$/s, "").replace(/[\d,.]+/g, "")}` : text;
}

function apart(one: SnapshotEvent, other: SnapshotEvent): number {
  return Math.abs(Date.parse(one.at) - Date.parse(other.at));
}
