// What is asked of the server for the account of a profile.

import { fetchDocument } from "../api";
import type { AccountDocument, Activity, KeyDays, KeyList } from "../generated";
import { type By, type Stack, stackOf } from "./stack";

/** How many rows of what was spent on what are asked for at most: the others are summed up. */
const MOST_ROWS = "100";

export const TRUNCATED = "OpenRouter left out the smallest amounts (truncated): they are among the others.";

export interface Spent {
  by: By;
  stack: Stack;
  whole: Activity;
  /** What a reader must know. */
  notes: string[];
}

export class AccountFeed {
  /** `profile`: null for the one that the server would show. */
  constructor(private readonly profile: string | null) {}

  account = () => this.get<AccountDocument>("account", "counts");
  keys = () => this.get<KeyList>("keys", "keys");
  days = () => this.get<KeyDays>("keys/days", "keys");

  /** On what the money was spent in the last days, the largest first. */
  whole(by: By, days: number): Promise<Activity> {
    return this.activity(by, days, { top: MOST_ROWS });
  }

  async spent(by: By, days: number): Promise<Spent> {
    const [whole, daily] = await Promise.all([this.whole(by, days), this.activity(`${by},day`, days)]);
    // Where small parts are missing, what was spent on others is known from the days' totals.
    const perDay = daily.others === null ? null : await this.activity("day", days);
    const notes = new Set([whole, daily, ...(perDay === null ? [] : [perDay])].flatMap((one) => one.notes));
    if (perDay?.truncated) notes.add("OpenRouter left rows out (truncated): some bars are too low.");
    else if (whole.truncated || daily.truncated) notes.add(TRUNCATED);
    return { by, stack: stackOf(by, whole, daily, perDay), whole, notes: [...notes] };
  }

  private activity(by: string, days: number, top: Record<string, string> = {}): Promise<Activity> {
    return this.get<Activity>("activity", "rows", { by, since: `${days}d`, ...top });
  }

  private get<T>(path: string, field: keyof T & string, query: Record<string, string> = {}): Promise<T> {
    const sent = new URLSearchParams(this.profile === null ? query : { ...query, profile: this.profile });
    return fetchDocument<T>(sent.size === 0 ? path : `${path}?${sent}`, field);
  }
}
