// The page's requests, and the errors that can come instead of an answer.

import type { Balance, Envelope, HistoryDocument, Problem, Session } from "./generated";

const SNAPSHOT = "/api/openrouter/snapshot";
export const EVENTS = "/api/openrouter/events";

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

/** Asks for the latest snapshot. `isFirst` takes the answer that the HTML has asked for already, if it is still there. */
export async function fetchSnapshot(isFirst = false): Promise<Envelope> {
  // A request that bypasses the cache bypasses what was preloaded, too.
  return asEnvelope(await json<unknown>(await ask(SNAPSHOT, isFirst ? {} : { cache: "no-store" })));
}

/** Has OpenRouter asked now, and waits until that has ended; what it showed is in the next snapshot. */
export async function refresh(): Promise<void> {
  await ask("/api/openrouter/refresh", { method: "POST" });
}

export async function fetchHistory(since: string): Promise<HistoryDocument> {
  return json<HistoryDocument>(await ask(`/api/openrouter/history?since=${since}&points=500`, { cache: "no-store" }));
}

export async function fetchSession(): Promise<Session> {
  return json<Session>(await ask("/api/session", { cache: "no-store" }));
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
