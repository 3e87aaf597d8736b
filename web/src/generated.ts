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

/** The account's credit: what is left, its level, and how long it lasts. Amounts in USD, times in UTC. */
export interface AccountBalance {
  fetchedAt: string;
  level: Level;
  lowBecause: Breach | null;
  thresholds: string[];
  credit: Account | null;
  creditError: string | null;
  pace: Pace | null;
  profile: string | null;
}

/** The account behind the keys: its credit, how its keys are, and what was spent in the last 30 days. */
export interface AccountDocument {
  /** The profile whose management key was asked with. */
  profile: string | null;
  /** When OpenRouter told the keys. */
  fetchedAt: string;
  /** Seconds since then, at the moment of sending. */
  age: number | null;
  /** Seconds until the keys are asked for next, at the moment of sending; 0 while they are. */
  nextPollIn: number | null;
  /** Whether the newest poll failed, so that all of this may have changed. */
  stale: boolean;
  staleReason: string | null;
  credit: AccountBalance;
  counts: KeyCounts;
  /** The key that runs out first, of those that can be used and have something left. */
  next: AccountKey | null;
  /** Null before the first answer, and where it is not known. */
  spent: AccountSpend | null;
  /** Why `spent` is null, or could not be renewed. */
  spentError: string | null;
  /** Of `spent`: OpenRouter's "analytics", or "activity": completed days (UTC) only. */
  source: "analytics" | "activity" | null;
  /** Where the numbers of `spent` end. */
  through: string | null;
  /** What a reader of `spent` must know: OpenRouter's warnings among them. */
  notes: string[];
  /** Whether all pages of the keys came. */
  complete: boolean;
  incompleteReason: string | null;
}

/** One key of the account, as its list shows it: its own limit only. Amounts in USD, times in UTC. */
export interface AccountKey {
  hash: string;
  name: string;
  label: string | null;
  workspace: string | null;
  workspaceId: string | null;
  level: Level;
  lowBecause: Breach | null;
  totalLimit: number | null;
  remaining: number | null;
  used: number | null;
  percentRemaining: number | null;
  resetPeriod: string | null;
  resetsAt: string | null;
  usage: number | null;
  usageDaily: number | null;
  usageWeekly: number | null;
  usageMonthly: number | null;
  includeByok: boolean | null;
  perDay: number | null;
  runsOutAt: string | null;
  disabled: boolean;
  expired: boolean;
  expiresAt: string | null;
  createdAt: string | null;
  updatedAt: string | null;
  lastUsedAt: string | null;
  isLastUseKnown: boolean;
}

/** What the whole account spent in the last 30 days, in USD, and in the 30 before. */
export interface AccountSpend {
  since: string;
  until: string;
  usd: number;
  requests: number | null;
  perRequest: number | null;
  /** Null where it is not known. */
  before: number | null;
}

/** Where the money went: what `orcredit activity --json` prints. Amounts in USD, times in UTC. */
export interface Activity {
  fetchedAt: string;
  profile: string | null;
  source: "analytics" | "activity";
  since: string;
  until: string;
  by: ("model" | "key" | "workspace" | "user" | "app" | "provider" | "day" | "hour")[];
  thisKey: boolean;
  rows: Spend[];
  others: Spend | null;
  total: Spend;
  truncated: boolean;
  notes: string[];
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

/** What spent most in the last 15 minutes, as OpenRouter tells it: of `of` USD, `usd` were spent by it. */
export interface Cause {
  key: string | null;
  model: string | null;
  usd: number;
  of: number;
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
  /** How many profiles the server has. */
  profileCount: number;
  /** Whether the whole account can be asked about: a management key is set, or this key is one. */
  hasAccount: boolean;
  /** Counts the snapshots of all profiles since the server started, from 1: the newer has the higher. */
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
  spend: SpendInterval[];
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

/** How many keys the account has. The levels are those of keys that can be used; all but the total add up to it. */
export interface KeyCounts {
  exhausted: number;
  low: number;
  ok: number;
  unlimited: number;
  disabled: number;
  /** Those that are not disabled as well. */
  expired: number;
  total: number;
}

/** What each key spent on each of the last 14 UTC days, in USD, today included, the oldest first. */
export interface KeyDays {
  /** When the first day begins. */
  since: string;
  /** Now, within the last day. */
  until: string;
  /** Who knew the days before today; null where that is not known. */
  source: "history" | "analytics" | "both" | null;
  /** Whether what could be asked for was had, and OpenRouter left nothing out. */
  complete: boolean;
  incompleteReason: string | null;
  /** By the key's hash. */
  keys: Record<string, (number | null)[]>;
}

/** Every key of the account, with its credit: what `orcredit keys --json` prints. */
export interface KeyList {
  fetchedAt: string;
  profile: string | null;
  thresholds: string[];
  account: AccountBalance;
  workspaces: Workspace[];
  keys: AccountKey[];
  complete: boolean;
  incompleteReason: string | null;
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

/** What a profile's key spent on each of the last 14 days. */
export interface ProfileDays {
  /** The profile's name; null when the key came from the environment. */
  profile: string | null;
  /** In USD, the oldest day first, today's so far last: what was seen, or what OpenRouter counted, where that is more; null for a day on which it was not watched. */
  days: (number | null)[];
}

/** A profile of the server, with what is known of it. */
export interface ProfileEnvelope {
  /** The profile's name; null when the key came from the environment. */
  profile: string | null;
  /** As /snapshot gives it; null before the first poll has ended. */
  envelope: Envelope | null;
}

/** The profiles of the server, in the order of the configuration file. */
export interface Profiles {
  /** The profile that requests without one are about; null for the one whose key came from the environment. */
  default: string | null;
  profiles: ProfileEnvelope[];
}

/** What each profile's key spent on each of the last 14 days (UTC), as recorded in the history. */
export interface ProfilesDays {
  /** The beginning of the first day. */
  since: string;
  /** Now, by this machine's clock; the last day is not over. */
  until: string;
  /** In the order of /profiles. */
  profiles: ProfileDays[];
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
  cause: Cause | null;
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

/** What was spent, by whom or on what. Amounts in USD. */
export interface Spend {
  model: string | null;
  key: string | null;
  workspace: string | null;
  user: string | null;
  app: string | null;
  provider: string | null;
  start: string | null;
  spend: number;
  share: number | null;
  requests: number | null;
  promptTokens: number | null;
  completionTokens: number | null;
  reasoningTokens: number | null;
  cachedTokens: number | null;
  perMillionTokens: number | null;
  perRequest: number | null;
  before: number | null;
  change: number | null;
}

/** What was spent in one interval of time, in USD. */
export interface SpendInterval {
  from: string;
  to: string;
  usd: number;
  /** Whether a part of it is interpolated, because nothing was recorded for a long time. */
  estimated: boolean;
  /** Whether a beginning or an end of the interval was not watched, so that this is the least. */
  partial: boolean;
  /** Whether a part of the interval was not watched, but OpenRouter told afterwards what was spent. */
  reported: boolean;
}

/** A workspace of the account. */
export interface Workspace {
  id: string;
  name: string;
  slug: string | null;
}
