// The history that is shown, for all cards that show some of it: one request for each range and poll.

import { useEffect, useState } from "preact/hooks";
import { fetchHistory, Refusal, Unreachable } from "./api";
import type { Range } from "./chart/range";
import type { Held } from "./clock";
import type { Balance, HistoryDocument, SnapshotEvent } from "./generated";
import { whyNot } from "./why-not";

/** Milliseconds between two requests: with every poll the chart would move, for little that is new. */
const PAUSE = 55_000;

export const LOADING = "Loading…";

export interface Known {
  /** Of the last answer; null before one, and where the range could not be had. */
  history: HistoryDocument | null;
  /** The range of that answer or of that refusal; null before any. */
  range: Range | null;
  /** Why there is no newer one; null while all is well. */
  note: string | null;
  /** Of the last answer for any range, since they are the same for all; null before one. */
  events: SnapshotEvent[] | null;
}

const NOTHING: Known = { history: null, range: null, note: LOADING, events: null };

interface Request {
  profile: string | null;
  range: Range;
  /** When OpenRouter gave the balance for which it was asked. */
  fetchedAt: string;
  at: number;
  state: "pending" | "answered" | "failed";
}

/** Asks for the history, and keeps the last answer. */
export class HistoryFeed {
  known = NOTHING;
  private asked: Request | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly fetch: (range: Range, profile: string | null) => Promise<HistoryDocument> = fetchHistory,
    private readonly now: () => number = Date.now,
  ) {}

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Asks at once for another range or profile; else at most once in 55 s, for a balance that is new or after a failure.
   * Never for a tab that is hidden.
   */
  async ask({ profile, fetchedAt }: Balance, range: Range, isHidden: boolean): Promise<void> {
    const before = this.asked;
    const isOther = before?.profile !== profile;
    if (before !== null && (isHidden || (!isOther && before.range === range && !this.isDue(before, fetchedAt)))) return;
    const request: Request = { profile, range, fetchedAt, at: this.now(), state: "pending" };
    this.asked = request;
    if (isOther) this.set(NOTHING);
    try {
      const history = asHistory(await this.fetch(range, profile));
      if (this.asked !== request) return;
      request.state = "answered";
      this.set({ history, range, note: null, events: history.events });
    } catch (error) {
      // The last answer for this range stays: a note says that it is not the newest.
      if (this.asked !== request) return;
      request.state = "failed";
      const { history, range: known, events } = this.known;
      this.set({ history: known === range ? history : null, range, note: whyNot(error), events });
      // After a login it is asked for anew.
      if (error instanceof Refusal && error.status === 401) this.asked = null;
    }
  }

  /** A request that waits is not replaced: the answers of a slow history would all come too late. */
  private isDue({ state, at, fetchedAt }: Request, newest: string): boolean {
    const isNeeded = state === "failed" || (state === "answered" && fetchedAt !== newest);
    return isNeeded && Math.abs(this.now() - at) > PAUSE;
  }

  private set(known: Known): void {
    this.known = known;
    for (const listener of this.listeners) listener();
  }
}

/** Throws for anything else, such as a proxy's own answer: without its lists no card could be drawn. */
function asHistory(value: HistoryDocument): HistoryDocument {
  const { points, gaps, resets, spend, events, recent } = (value ?? {}) as Partial<HistoryDocument>;
  if ([points, gaps, resets, spend, events].every(Array.isArray) && recent) return value;
  throw new Unreachable("the answer was not from orcredit");
}

const feed = new HistoryFeed();

/** The range that is shown until another is chosen. */
export function firstRange(isWall: boolean): Range {
  return isWall ? "period" : "30d";
}

/** Asks before any card is there to show it: the chart's code is still on its way. */
export function askAhead(range: Range, held: Held): void {
  void feed.ask(held.balance, range, document.hidden);
}

/** What is known of the history, without another request. */
export function useKnownHistory(): Known {
  const [known, setKnown] = useState(feed.known);
  useEffect(() => {
    setKnown(feed.known);
    return feed.subscribe(() => setKnown(feed.known));
  }, []);
  return known;
}

/**
 * The same, and has it asked for. Until the answer for another range has come the old one stays. `now` changes every
 * minute: what was refused, or came while the tab was hidden, is asked for without waiting for another balance.
 */
export function useHistory(range: Range, held: Held, now: number): Known {
  const { balance } = held;
  useEffect(() => void feed.ask(balance, range, document.hidden), [balance.profile, range, balance.fetchedAt, now]);
  return useKnownHistory();
}
