// Documents of an account for tests, of which each test changes what it is about.

import type { AccountBalance, AccountDocument, AccountKey, Activity, KeyList, Spend } from "../src/generated";
import { FETCHED_AT } from "./balances";

export function accountKey(name: string, changes: Partial<AccountKey> = {}): AccountKey {
  return {
    hash: `hash of ${name}`,
    name,
    label: `sk-or-v1-${name}...1f9`,
    workspace: "Default",
    workspaceId: "w1",
    level: "ok",
    lowBecause: null,
    totalLimit: 60,
    remaining: 45,
    used: 15,
    percentRemaining: 75,
    resetPeriod: "monthly",
    resetsAt: "2026-03-01T00:00:00.000Z",
    usage: 15,
    usageDaily: 1,
    usageWeekly: 5,
    usageMonthly: 15,
    includeByok: false,
    perDay: 1.2,
    runsOutAt: null,
    disabled: false,
    expired: false,
    expiresAt: null,
    createdAt: null,
    updatedAt: null,
    lastUsedAt: null,
    isLastUseKnown: true,
    ...changes,
  };
}

/** $74.75 of credit, which lasts until 23 April at $1.09 a day. */
export function credit(changes: Partial<AccountBalance> = {}): AccountBalance {
  return {
    fetchedAt: FETCHED_AT,
    level: "ok",
    lowBecause: null,
    thresholds: ["10%", "$1"],
    credit: { totalCredits: 100.5, totalUsage: 25.75, remaining: 74.75, source: "management_key", runsOutAt: "2026-04-22T12:00:00.000Z", isUpperBound: false },
    creditError: null,
    pace: {
      perDay: 1.09,
      basis: "month",
      scope: "account_credit",
      runsOutAt: "2026-04-22T12:00:00.000Z",
      runsOutEarliest: null,
      runsOutLatest: null,
      isUpperBound: false,
      projectedAtReset: null,
      projectedAtResetLow: null,
      projectedAtResetHigh: null,
      lastsUntilReset: null,
      affordablePerDay: null,
      evenPercentRemaining: null,
    },
    profile: null,
    ...changes,
  };
}

export function account(changes: Partial<AccountDocument> = {}): AccountDocument {
  return {
    profile: null,
    fetchedAt: FETCHED_AT,
    age: 0,
    nextPollIn: 60,
    stale: false,
    staleReason: null,
    credit: credit(),
    counts: { exhausted: 0, low: 0, ok: 1, unlimited: 0, disabled: 0, expired: 0, total: 1 },
    next: null,
    spent: { since: "2026-01-13T16:39:47.000Z", until: FETCHED_AT, usd: 16.28, requests: 4650, perRequest: 0.0145, before: 8.14 },
    spentError: null,
    source: "analytics",
    through: FETCHED_AT,
    notes: [],
    complete: true,
    incompleteReason: null,
    ...changes,
  };
}

export function keyList(keys: AccountKey[], changes: Partial<KeyList> = {}): KeyList {
  return {
    fetchedAt: FETCHED_AT,
    profile: null,
    thresholds: ["10%", "$1"],
    account: credit(),
    workspaces: [{ id: "w1", name: "Default", slug: null }],
    keys,
    complete: true,
    incompleteReason: null,
    ...changes,
  };
}

export function spend(usd: number, changes: Partial<Spend> = {}): Spend {
  return {
    model: null,
    key: null,
    workspace: null,
    user: null,
    app: null,
    provider: null,
    start: null,
    spend: usd,
    share: null,
    requests: 10,
    promptTokens: 1000,
    completionTokens: 200,
    reasoningTokens: null,
    cachedTokens: null,
    perMillionTokens: 2.5,
    perRequest: 0.01,
    before: null,
    change: null,
    ...changes,
  };
}

/** From the afternoon of 10 February to that of 12 February. */
export function activity(rows: Spend[], changes: Partial<Activity> = {}): Activity {
  return {
    fetchedAt: FETCHED_AT,
    profile: null,
    source: "analytics",
    since: "2026-02-10T16:39:47.000Z",
    until: FETCHED_AT,
    by: ["model"],
    thisKey: false,
    rows,
    others: null,
    total: spend(rows.reduce((sum, row) => sum + row.spend, 0)),
    truncated: false,
    notes: [],
    ...changes,
  };
}

/** A row of a model and a day of February. */
export function onDay(day: number, usd: number, model: string | null): Spend {
  return spend(usd, { model, start: `2026-02-${day}T00:00:00.000Z` });
}
