// Every request of the page, and what can come instead of an answer.

import type { Balance, Past, Problem, Session } from "./generated";

const BALANCE = "/api/openrouter/balance";
export const EVENTS = "/api/openrouter/events";

/** Milliseconds; longer than a server takes that was given no long --timeout. A dead connection would wait for ever. */
const LONGEST_WAIT = 75_000;

let lockedOut: () => void = () => undefined;

/** Says what to do when any answer shows that the session is over, or that there must be one. */
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

/** Nobody answered, or somebody who is not orcredit. */
export class Unreachable extends Error {}

/** A balance and how old its numbers were when it arrived, in seconds by the server's clock. */
export interface Answer {
  balance: Balance;
  age: number;
}

/** Asks for the balance. `isFirst` takes the answer that the HTML has asked for already, if it is still there. */
export async function fetchBalance(isFirst = false): Promise<Answer> {
  // A request that bypasses the cache bypasses what was loaded ahead, too.
  return answer(await ask(BALANCE, isFirst ? {} : { cache: "no-store" }));
}

/** Has OpenRouter asked now. */
export async function refreshBalance(): Promise<Answer> {
  return answer(await ask("/api/openrouter/refresh", { method: "POST" }));
}

export async function fetchHistory(since: string): Promise<Past> {
  return json<Past>(await ask(`/api/openrouter/history?since=${since}&points=500`, { cache: "no-store" }));
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
    if (!(error instanceof Refusal && error.status === 401)) throw error; // over already is no trouble
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
  // To a log-in it only says that this was not the token.
  if (response.status === 401 && options.body === undefined) lockedOut();
  throw await refusal(response);
}

async function refusal(response: Response): Promise<Error> {
  const said: unknown = await response.json().catch(() => null);
  if (!isProblem(said)) return new Unreachable(`the answer was HTTP ${response.status}, and not from orcredit`);
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Refusal(response.status, said, Number.isNaN(seconds) ? null : seconds);
}

async function answer(response: Response): Promise<Answer> {
  const age = Number.parseInt(response.headers.get("Age") ?? "", 10);
  const balance = asBalance(await json<unknown>(response));
  if (balance === null) throw new Unreachable("the answer was not from orcredit");
  return { balance, age: Number.isNaN(age) ? 0 : Math.max(age, 0) };
}

async function json<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch {
    throw new Unreachable("the answer was cut short, or not from orcredit");
  }
}

/** Reads a balance; null for anything else, so that a proxy's own page is not taken for numbers. */
export function asBalance(value: unknown): Balance | null {
  if (typeof value !== "object" || value === null) return null;
  const balance = value as Balance;
  const isOne = !Number.isNaN(Date.parse(balance.fetchedAt)) && Array.isArray(balance.budgets) && "spendable" in balance;
  return isOne ? balance : null;
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && typeof (value as Problem).error === "string";
}
