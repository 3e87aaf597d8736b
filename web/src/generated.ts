// The server's answers. Written by `npm run types` from openapi.json; do not edit.

/** What the account bought and spent, in USD, from `GET /credits`; it excludes grants. */
export interface Account {
  totalCredits: number;
  totalUsage: number;
  remaining: number;
  source: "key" | "management_key";
  runsOutAt: string | null;
  isUpperBound: boolean;
}

/** The document: what `status --json` prints. Amounts in USD, times in UTC; null means "none" or "not known". */
export interface Balance {
  totalLimit: number | null;
  remaining: number | null;
  resetPeriod: string | null;
  usage: number | null;
  usageDaily: number | null;
  usageWeekly: number | null;
  usageMonthly: number | null;
  percentRemaining: number | null;
  warningLowBudget: boolean;
  fetchedAt: string;
  used: number | null;
  resetsAt: string | null;
  spendable: number | null;
  limitedBy: string | null;
  level: Level;
  budgets: Budget[];
  refusedUntil: string | null;
  thresholds: string[];
  account: Account | null;
  accountError: string | null;
  byok: Byok | null;
  freeRequests: FreeRequests | null;
  key: Key;
  pace: Pace | null;
  lowBecause: Breach | null;
  profile: string | null;
  stale: boolean;
  staleReason: string | null;
}

/** Why the level is low: the threshold, as text, and the scope of the budget below it. */
export interface Breach {
  threshold: string;
  scope: string | null;
}

/** One budget enforced on the key. Amounts in USD; `remaining` is not clamped. */
export interface Budget {
  scope: string;
  limit: number;
  spent: number;
  remaining: number;
  percentRemaining: number;
  resetPeriod: string | null;
  resetsAt: string | null;
  includeByok: boolean | null;
  isLimiting: boolean;
  runsOutAt: string | null;
  isUpperBound: boolean;
}

/** Spend on bring-your-own-key models, in USD; `included_in_limit`: whether it counts against the key's limit. */
export interface Byok {
  usage: number | null;
  usageDaily: number | null;
  usageWeekly: number | null;
  usageMonthly: number | null;
  includedInLimit: boolean | null;
}

/** What OpenRouter counts in a calendar period, and how much of that this history saw; in USD. */
export interface Counted {
  counted: number;
  seen: number;
}

/** What is known of a profile after a poll. */
export interface Envelope {
  /** The profile's name; null when the key came from the environment. */
  profile: string | null;
  /** Counts the snapshots of this profile since the server started, from 1. */
  sequence: number;
  /** Seconds since OpenRouter answered, at the moment of sending; null before any answer. */
  age: number | null;
  /** Seconds until OpenRouter is asked next, at the moment of sending; 0 while it is being asked. */
  nextPollIn: number | null;
  /** How fast money is spent right now; null where the server saw too little of it. */
  rate: Rate | null;
  /** What is spent so fast that it is gone within hours, the most urgent; null when nothing is. */
  runaway: Runaway | null;
  /** The newest document; null before any answer. */
  balance: Balance | null;
  /** Why there is no document; null when there is one. */
  problem: Problem | null;
  /** Oldest first: those kept (at most 20) in /snapshot and the first event of a stream, else the new. */
  events: SnapshotEvent[];
}

/** Requests to free models today (UTC), for the whole account. */
export interface FreeRequests {
  used: number | null;
  limit: number | null;
  remaining: number | null;
}

/** A time without polls of the key; the line of what was left breaks there. */
export interface Gap {
  from: string;
  to: string;
}

/** The process runs. */
export interface Health {
  status: "ok";
}

/** The key's recorded history: what was left over time, what was spent, and what happened. */
export interface HistoryDocument {
  /** The beginning of the time that was asked for. */
  since: string;
  /** Its end: now, by OpenRouter's clock. */
  until: string;
  /** In the order of time; between two that are equal nothing changed. */
  points: Sample[];
  /** Times without polls; no line leads from the point before to that after. */
  gaps: Gap[];
  /** In the order of time. */
  resets: Reset[];
  spend: Spend[];
  /** Of the last 90 days, whatever was asked for: the newest 200, oldest first. */
  events: SnapshotEvent[];
  recent: Recent;
}

/** The key's metadata; never the key itself. */
export interface Key {
  label: string | null;
  expiresAt: string | null;
  isManagementKey: boolean | null;
  isFreeTier: boolean | null;
}

/** The state of a balance; `exit_code` is the command line's for it. */
export type Level = "ok" | "low" | "exhausted" | "unlimited";

/** The body of a login. */
export interface Login {
  token: string;
}

/** The forecast for one budget or for the account's credit. Amounts in USD, times in UTC. */
export interface Pace {
  perDay: number | null;
  basis: "today" | "week" | "month" | "period" | "history" | null;
  scope: string;
  runsOutAt: string | null;
  runsOutEarliest: string | null;
  runsOutLatest: string | null;
  isUpperBound: boolean;
  projectedAtReset: number | null;
  projectedAtResetLow: number | null;
  projectedAtResetHigh: number | null;
  lastsUntilReset: boolean | null;
  affordablePerDay: number | null;
  evenPercentRemaining: number | null;
}

/** Why a request or a poll failed; every error has this form. */
export interface Problem {
  /** What happened: one sentence. */
  error: string;
  /** The same as a word that does not change. */
  code: string;
  /** What to do about it; may be empty. */
  hint: string;
}

/** How fast money is spent right now, as the polls of this process saw it. Amounts in USD, times in UTC. */
export interface Rate {
  last1m: RateWindow | null;
  last5m: RateWindow | null;
  last15m: RateWindow | null;
  perMinute: number;
  timesPace: number | null;
  runsOutAt: string | null;
  scope: string | null;
}

/** What was seen to be spent up to the last answer: `spent` USD within `seconds`; `per_day` is that in USD a day. */
export interface RateWindow {
  spent: number;
  seconds: number;
  perDay: number;
}

/** The newest balance is recent enough; `age` in seconds. */
export interface Readiness {
  status: "ready";
  age: number;
}

/** What was spent recently, in USD; None where nothing was seen in that time. */
export interface Recent {
  lastHour: number | null;
  lastDay: number | null;
  lastWeek: number | null;
  lastHourSince: string | null;
  lastDaySince: string | null;
  lastWeekSince: string | null;
  lastHourEstimated: boolean;
  lastDayEstimated: boolean;
  lastWeekEstimated: boolean;
  today: Counted | null;
  thisWeek: Counted | null;
  thisMonth: Counted | null;
  accountPerDay: number | null;
  since: string | null;
  until: string | null;
}

/** The beginning of a budget's new period, as it was seen or as the points show it. */
export interface Reset {
  at: string;
  scope: string;
  /** Its reset period, where it is known. */
  period: string | null;
}

/** A budget, or the account's credit, that is spent so fast that it is gone within hours. USD and UTC. */
export interface Runaway {
  scope: string;
  period: string | null;
  since: string;
  perMinute: number;
  perDay: number;
  timesPace: number | null;
  runsOutAt: string | null;
}

/** What was known of a key at one moment, in USD. In JSON: `at`, `spendable`, `remaining`. */
export interface Sample {
  at: string;
  spendable: number | null;
  remaining: number | null;
}

/** Whether the server requires a token, and when this browser's session ends. */
export interface Session {
  loginRequired: boolean;
  expiresAt: string | null;
}

/** Something that happened between two polls. */
export interface SnapshotEvent {
  /** When it was noticed. */
  at: string;
  /** What it was, as a word that does not change. */
  kind: string;
  /** The same in words, without a full stop. */
  text: string;
  /** Whether it is bad news: the level became worse, a runaway began, or spending tripled. */
  isWorse: boolean;
}

/** What was spent in one interval of time, in USD. */
export interface Spend {
  from: string;
  to: string;
  usd: number;
  /** Whether a part of it is interpolated, because nothing was recorded for a long time. */
  estimated: boolean;
  /** Whether a beginning or an end of the interval was not watched, so that this is the least. */
  partial: boolean;
}
