// The page's requests, and the errors that can come instead of an answer.

import type { Balance, Envelope, HistoryDocument, Problem, Profiles, ProfilesDays, Session } from "./generated";

const API = "/api/openrouter/";
export const EVENTS = `${API}events`;

/** Milliseconds; longer than a server takes with the usual --timeout. Without a limit a dead connection would never end. */
const LONGEST_WAIT = 75_000;

let lockedOut: () => void = () => undefined;

/** Sets what to do when an answer shows that the session has ended, or that one is needed. */
export function whenLockedOut(act: () => void): void {
  lockedOut = act;
}

/** The server answered, but with an error: `problem` is what it said. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
    /** Seconds, from `Retry-After`. */
    readonly retryAfter: number | null = null,
  ) {
    super(problem.error);
  }
}

/** There was no answer, or one that is not from orcredit. */
export class Unreachable extends Error {}

/**
 * Asks for the latest snapshot of a profile, or of the one that the server chooses. `isFirst` takes the answer that the
 * HTML has asked for already, if it is still there.
 */
export async function fetchSnapshot(isFirst = false, profile: string | null = null): Promise<Envelope> {
  // A request that bypasses the cache bypasses what was preloaded, too.
  return asEnvelope(await json<unknown>(await ask(of(`${API}snapshot`, profile), isFirst ? {} : { cache: "no-store" })));
}

/** What is known of every profile. */
export async function fetchProfiles(): Promise<Profiles> {
  const answer = await get<Profiles>(`${API}profiles`);
  for (const { envelope } of answer.profiles) if (envelope !== null) asEnvelope(envelope);
  return answer;
}

/** What each profile spent on each of the last days. */
export async function fetchDays(): Promise<ProfilesDays> {
  return get<ProfilesDays>(`${API}profiles/days`);
}

/** Has OpenRouter asked now, and waits until that has ended; what it showed is in the next snapshot. */
export async function refresh(profile: string | null = null): Promise<void> {
  await ask(of(`${API}refresh`, profile), { method: "POST" });
}

export async function fetchHistory(since: string, profile: string | null): Promise<HistoryDocument> {
  return get<HistoryDocument>(historyAddress(`?since=${since}&points=500`, profile));
}

/** The address of the history, or of a part of it: `.csv?since=30d`. */
export function historyAddress(rest: string, profile: string | null): string {
  return of(`${API}history${rest}`, profile ?? "");
}

/** Asks for a document that has at least that field: `account`, `activity?by=model`. */
export async function fetchDocument<T>(path: string, field: keyof T & string): Promise<T> {
  const said = await json<T | null>(await ask(`/api/openrouter/${path}`, { cache: "no-store" }));
  if (typeof said === "object" && said !== null && field in said) return said;
  throw new Unreachable("the answer was not from orcredit");
}

export async function fetchSession(): Promise<Session> {
  return get<Session>("/api/session");
}

export async function logIn(token: string): Promise<Session> {
  const headers = { "Content-Type": "application/json" };
  return json<Session>(await ask("/api/session", { method: "POST", headers, body: JSON.stringify({ token }) }));
}

export async function logOut(): Promise<void> {
  await ask("/api/session", { method: "DELETE" }).catch((error: unknown) => {
    if (!(error instanceof Refusal && error.status === 401)) throw error; // it had ended already
  });
}

/** The address with the profile in it; "" is the unnamed one. */
function of(address: string, profile: string | null): string {
  return profile === null ? address : `${address}${address.includes("?") ? "&" : "?"}profile=${encodeURIComponent(profile)}`;
}

export async function get<T>(path: string): Promise<T> {
  return json<T>(await ask(path, { cache: "no-store" }));
}

async function ask(path: string, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(LONGEST_WAIT) });
  } catch {
    throw new Unreachable("it does not answer");
  }
  if (response.ok) return response;
  // After a login attempt a 401 only means that the token was wrong.
  if (response.status === 401 && options.body === undefined) lockedOut();
  throw await refusal(response);
}

async function refusal(response: Response): Promise<Error> {
  const said: unknown = await response.json().catch(() => null);
  if (!isProblem(said)) return new Unreachable(`the answer was HTTP ${response.status}, and not from orcredit`);
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Refusal(response.status, said, Number.isNaN(seconds) ? null : seconds);
}

async function json<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch {
    throw new Unreachable("the answer was cut short, or not from orcredit");
  }
}

/** Reads an envelope; throws for anything else, so that a proxy's own page is not taken for numbers. */
export function asEnvelope(value: unknown): Envelope {
  const { sequence, balance, problem, events } = (value ?? {}) as Partial<Envelope>;
  const isEither = isBalance(balance) || (balance === null && isProblem(problem));
  if (isEither && Number.isInteger(sequence) && Array.isArray(events)) return value as Envelope;
  throw new Unreachable("the answer was not from orcredit");
}

function isBalance(value: unknown): value is Balance {
  const balance = value as Partial<Balance> | null | undefined;
  return Array.isArray(balance?.budgets) && "spendable" in balance && !Number.isNaN(Date.parse(balance.fetchedAt ?? ""));
}

function isProblem(value: unknown): value is Problem {
  return typeof (value as Partial<Problem> | null | undefined)?.error === "string";
}
