// What the page knows, by profile, and the part of it that is shown. No requests and no clock here.

import { type Held, hold } from "./clock";
import { named } from "./format";
import type { Envelope, Problem, Rate, Runaway, SnapshotEvent } from "./generated";
import type { Route } from "./route";

/** What is known of a profile. */
export interface ProfileState {
  /** Of the newest envelope, 0 before any; counts on from 1 after a restart of the server. */
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
  /** Whether its whole account can be asked about. */
  hasAccount: boolean;
}

/** By the profile's name; "" for the unnamed one. */
export type Profiles = ReadonlyMap<string, ProfileState>;

export interface State {
  profiles: Profiles;
  route: Route;
  /** The profile that is shown where the address names none; null before any is known. */
  first: string | null;
  /** How many the server has; those of which nothing is known yet are not in `profiles` before it has listed them. */
  profileCount: number;
  isListed: boolean;
  /** What the server answered instead of an envelope. */
  refusal: Problem | null;
  /** Why the server could not be asked. */
  unreachable: string | null;
  isLoginNeeded: boolean;
  isRefreshing: boolean;
}

/** What is shown: the profile of the page, and what concerns the page as a whole. */
export interface View extends Omit<ProfileState, "sequence"> {
  page: "key" | "table" | "account";
  /** The page's profile; null before any is known. On the table, whose numbers are the newest. */
  name: string | null;
  /** Whose account can be looked at from here; null where none can. */
  account: string | null;
  profiles: Profiles;
  profileCount: number;
  unreachable: string | null;
  isLoginNeeded: boolean;
  isRefreshing: boolean;
}

const EVENTS_KEPT = 20;

/** The problem's code where the address names a profile that there is not. */
export const NO_PROFILE = "no_profile";

/** What is known of a profile before its first envelope. */
export const UNKNOWN: ProfileState = {
  sequence: 0,
  held: null,
  dueAt: null,
  problem: null,
  rate: null,
  runaway: null,
  events: [],
  hasAccount: false,
};

export const NOTHING: Omit<State, "route"> = {
  profiles: new Map(),
  first: null,
  profileCount: 1,
  isListed: false,
  refusal: null,
  unreachable: null,
  isLoginNeeded: false,
  isRefreshing: false,
};

export function nameOf({ profile }: { profile: string | null }): string {
  return profile ?? "";
}

/** What is known of a profile after an envelope, received at that time of the browser's clock. */
export function withEnvelope(known: ProfileState | undefined, envelope: Envelope, receivedAt: number): ProfileState {
  const { sequence, balance, problem, rate, runaway, age, nextPollIn, hasAccount } = envelope;
  const events = known?.events ?? [];
  // An envelope may repeat events: those sent with an answer over HTTP come on the stream, too.
  const fresh = envelope.events.filter((event) => !events.some((one) => one.at === event.at && one.text === event.text));
  const held = balance === null ? (known?.held ?? null) : hold(balance, age ?? 0, receivedAt);
  return {
    sequence,
    held,
    dueAt: nextPollIn === null ? null : receivedAt + nextPollIn * 1000,
    problem,
    rate,
    runaway,
    events: [...events, ...fresh].slice(-EVENTS_KEPT),
    hasAccount,
  };
}

export function viewOf(state: State): View {
  const { profiles, refusal, profileCount, unreachable, isLoginNeeded, isRefreshing } = state;
  const { page, name, isMissing } = pageOf(state);
  const shown = (page === "table" ? newestOf(profiles) : profiles.get(name ?? "")) ?? UNKNOWN;
  return {
    ...shown,
    dueAt: page === "table" ? null : shown.dueAt,
    problem: refusal ?? (isMissing ? noProfile(name) : page === "table" ? null : shown.problem),
    page,
    name,
    account: page === "table" ? accountOf(state) : shown.hasAccount ? name : null,
    profiles,
    profileCount,
    unreachable,
    isLoginNeeded,
    isRefreshing,
  };
}

function pageOf(state: State): Pick<View, "page" | "name"> & { isMissing?: true } {
  const { route, first, profiles, profileCount, isListed, isLoginNeeded } = state;
  const { profile } = route;
  // Until the profiles are listed the address may name one that has not been heard of.
  const areKnown = profileCount < 2 ? first !== null : isListed;
  if (profile !== null && areKnown && !profiles.has(profile)) return { page: "key", name: profile, isMissing: true };
  // Without a management key the page says so.
  if (route.page === "account" && !isLoginNeeded) return { page: "account", name: first === null ? null : (profile ?? accountOf(state) ?? first) };
  if (profileCount < 2) return { page: "key", name: first };
  return profile === null ? { page: "table", name: null } : { page: "key", name: profile };
}

function noProfile(name: string | null): Problem {
  return { error: `There is no profile ${named(name ?? "")}.`, hint: "", code: NO_PROFILE };
}

/** Whose account is shown where no profile is named. */
function accountOf({ first, profiles }: State): string | null {
  return [first ?? "", ...profiles.keys()].find((name) => profiles.get(name)?.hasAccount) ?? null;
}

function newestOf(profiles: Profiles): ProfileState | undefined {
  let newest: ProfileState | undefined;
  for (const one of profiles.values()) {
    if (one.held !== null && one.held.freshAt > (newest?.held?.freshAt ?? -Infinity)) newest = one;
  }
  return newest;
}

/** Whether two views look the same; the table shows more profiles than the one. */
export function isSame(one: View, other: View): boolean {
  return (Object.keys(one) as (keyof View)[]).every(
    (field) => one[field] === other[field] || (field === "profiles" && other.page !== "table"),
  );
}

/** Whether the numbers may have changed since. */
export function isOld(view: Pick<View, "problem" | "unreachable"> & { held: { balance: Pick<Held["balance"], "stale"> } | null }): boolean {
  return view.held?.balance.stale === true || view.unreachable !== null || view.problem !== null;
}
