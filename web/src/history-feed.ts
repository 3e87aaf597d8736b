// The history that is shown, for all cards that show some of it: one request for each range and poll.

import { useEffect, useState } from "preact/hooks";
import { fetchHistory } from "./api";
import type { Range } from "./chart/range";
import type { Held } from "./clock";
import type { HistoryDocument } from "./generated";
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
}

const NOTHING: Known = { history: null, range: null, note: LOADING };

/** Asks for the history, and keeps the last answer. */
export class HistoryFeed {
  known = NOTHING;
  private asked: { profile: string | null; range: Range; at: number } | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly fetch: (range: Range) => Promise<HistoryDocument> = fetchHistory,
    private readonly now: () => number = Date.now,
  ) {}

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Asks at once for another range or profile, else at most once in 55 s, and never for a tab that is hidden. */
  async ask(profile: string | null, range: Range, isHidden: boolean): Promise<void> {
    const before = this.asked;
    const isOther = before?.profile !== profile;
    const isDue = before?.range !== range || isOther || Math.abs(this.now() - before.at) > PAUSE;
    if (!isDue || (isHidden && before !== null)) return;
    const request = { profile, range, at: this.now() };
    this.asked = request;
    if (isOther) this.set(NOTHING);
    try {
      const history = await this.fetch(range);
      if (this.asked === request) this.set({ history, range, note: null });
    } catch (error) {
      // The last answer for this range stays: a note says that it is not the newest.
      if (this.asked !== request) return;
      this.set({ history: this.known.range === range ? this.known.history : null, range, note: whyNot(error) });
    }
  }

  private set(known: Known): void {
    this.known = known;
    for (const listener of this.listeners) listener();
  }
}

const feed = new HistoryFeed();

/** The range that is shown until another is chosen. */
export function firstRange(isWall: boolean): Range {
  return isWall ? "period" : "30d";
}

/** Asks before any card is there to show it: the chart's code is still on its way. */
export function askAhead(range: Range, profile: string | null): void {
  void feed.ask(profile, range, document.hidden);
}

/** What is known of the history, without a request of its own. */
export function useKnownHistory(): Known {
  const [known, setKnown] = useState(feed.known);
  useEffect(() => {
    setKnown(feed.known);
    return feed.subscribe(() => setKnown(feed.known));
  }, []);
  return known;
}

/** The same, and has it asked for. Until the answer for another range has come the old one stays. */
export function useHistory(range: Range, held: Held): Known {
  const { profile, fetchedAt } = held.balance;
  useEffect(() => void feed.ask(profile, range, document.hidden), [profile, range, fetchedAt]);
  return useKnownHistory();
}
