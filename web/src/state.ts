// What the page knows, by profile, and the part of it that is shown. No requests and no clock here.

import { type Held, hold } from "./clock";
import type { Envelope, Problem, Rate, Runaway, SnapshotEvent } from "./generated";

/** What is known of a profile. */
export interface ProfileState {
  /** Of the newest envelope; counts on from 1 after a restart of the server. */
  sequence: number;
  /** The newest balance; it stays when a restarted server has none yet. */
  held: Held | null;
  /** When the server asks OpenRouter next, by the browser's clock; null where that is not known. */
  dueAt: number | null;
  /** Why the server has no balance. */
  problem: Problem | null;
  /** How fast money is spent right now; null where that is not known. */
  rate: Rate | null;
  runaway: Runaway | null;
  /** Oldest first. */
  events: SnapshotEvent[];
}

export interface State {
  /** By the profile's name; "" for the unnamed one. */
  profiles: ReadonlyMap<string, ProfileState>;
  /** The profile that is shown; null before any is known. */
  selected: string | null;
  /** What the server answered instead of an envelope. */
  refusal: Problem | null;
  /** Why the server could not be asked. */
  unreachable: string | null;
  isLoginNeeded: boolean;
  isRefreshing: boolean;
}

/** What is shown: the selected profile, and what concerns the page as a whole. */
export interface View extends Pick<State, "unreachable" | "isLoginNeeded" | "isRefreshing"> {
  /** The profiles' names, in the order in which they became known. */
  names: string[];
  name: string | null;
  held: Held | null;
  dueAt: number | null;
  problem: Problem | null;
  rate: Rate | null;
  runaway: Runaway | null;
  events: SnapshotEvent[];
}

const EVENTS_KEPT = 20;

export const NOTHING: State = {
  profiles: new Map(),
  selected: null,
  refusal: null,
  unreachable: null,
  isLoginNeeded: false,
  isRefreshing: false,
};

export function nameOf(envelope: Envelope): string {
  return envelope.profile ?? "";
}

/** The profiles with what an envelope says, received at that time of the browser's clock. */
export function withEnvelope(
  profiles: State["profiles"],
  envelope: Envelope,
  receivedAt: number,
): State["profiles"] {
  const { sequence, balance, problem, rate, runaway, age, nextPollIn } = envelope;
  const known = profiles.get(nameOf(envelope));
  const events = known?.events ?? [];
  // An envelope may repeat events: those sent with an answer over HTTP come on the stream, too.
  const fresh = envelope.events.filter((event) => !events.some((one) => one.at === event.at && one.text === event.text));
  const held = balance === null ? (known?.held ?? null) : hold(balance, age ?? 0, receivedAt);
  return new Map(profiles).set(nameOf(envelope), {
    sequence,
    held,
    dueAt: nextPollIn === null ? null : receivedAt + nextPollIn * 1000,
    problem,
    rate,
    runaway,
    events: [...events, ...fresh].slice(-EVENTS_KEPT),
  });
}

export function viewOf(state: State): View {
  const shown = state.profiles.get(state.selected ?? "");
  return {
    ...state,
    names: [...state.profiles.keys()],
    name: state.selected,
    held: shown?.held ?? null,
    dueAt: shown?.dueAt ?? null,
    problem: state.refusal ?? shown?.problem ?? null,
    rate: shown?.rate ?? null,
    runaway: shown?.runaway ?? null,
    events: shown?.events ?? [],
  };
}

/** Whether the numbers may have changed since. */
export function isOld(view: View): boolean {
  return view.held?.balance.stale === true || view.unreachable !== null || view.problem !== null;
}
