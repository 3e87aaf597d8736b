// The documents that orcredit's server sends, as types. The words are those of the JSON; README.md tells what they mean.

/** How worrying the balance is. */
export type Level = "ok" | "low" | "exhausted" | "unlimited";

/** One budget enforced on the key. `remaining` may be negative. */
export interface Layer {
  scope: string;
  limit: number;
  spent: number;
  remaining: number;
  percentRemaining: number;
  resetPeriod: string | null;
  resetsAt: string | null;
  includeByok: boolean | null;
}

/** What the account behind a management key bought and spent. */
export interface Account {
  totalCredits: number;
  totalUsage: number;
  remaining: number;
}

/** Spend on bring-your-own-key models. */
export interface Byok {
  usage: number | null;
  usageDaily: number | null;
  usageWeekly: number | null;
  usageMonthly: number | null;
  includedInLimit: boolean | null;
}

/** Today's requests to free models, for the whole account. */
export interface FreeRequests {
  used: number | null;
  limit: number | null;
  remaining: number | null;
}

/** What may be told about the key. */
export interface Key {
  label: string | null;
  expiresAt: string | null;
  isManagementKey: boolean | null;
  isFreeTier: boolean | null;
}

/** The forecast of the layer in `scope`. */
export interface Pace {
  perDay: number | null;
  basis: string | null;
  scope: string;
  runsOutAt: string | null;
  runsOutEarliest: string | null;
  runsOutLatest: string | null;
  projectedAtReset: number | null;
  lastsUntilReset: boolean | null;
}

/** The threshold that made the level low, as text (`10%`, `$1`, `3d`), and by what; no scope for what can be spent at all. */
export interface Breach {
  threshold: string;
  scope: string | null;
}

/** The one answer: what the key can still spend. Dollars and UTC times; null is "none" or "not known". */
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
  budgets: Layer[];
  account: Account | null;
  accountError: string | null;
  byok: Byok | null;
  freeRequests: FreeRequests | null;
  key: Key;
  pace: Pace | null;
  lowBecause: Breach | null;
  stale: boolean;
  staleReason: string | null;
}

/** What was left at an instant. */
export interface Point {
  at: string;
  spendable: number | null;
  remaining: number | null;
}

/** What was spent in an interval; `estimated` where part of it is spread over a time when nobody looked. */
export interface Spend {
  from: string;
  to: string;
  usd: number;
  estimated: boolean;
}

/** What was spent lately, as far as it was watched. */
export interface Recent {
  lastHour: number | null;
  lastDay: number | null;
  lastWeek: number | null;
  accountPerDay: number | null;
  since: string | null;
  until: string | null;
}

export interface History {
  points: Point[];
  spend: Spend[];
  recent: Recent | null;
}

export interface Session {
  loginRequired: boolean;
  expiresAt: string | null;
}

/** What the server says instead of a document. */
export interface Problem {
  error: string;
  code: string;
  hint: string;
}

/** The scope of the key's own limit, OpenRouter's word. */
export const KEY_LIMIT = "key_limit";

/** What `limitedBy` says when the account's credit is the least; not a layer. */
export const ACCOUNT_CREDIT = "account_credit";
