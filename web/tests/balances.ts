// Documents for tests: one complete balance, of which each test changes what it is about.

import type { Balance, Budget, Envelope } from "../src/generated";

export const FETCHED_AT = "2026-02-12T16:39:47.000Z";

export function budget(changes: Partial<Budget> = {}): Budget {
  return {
    scope: "key_limit",
    limit: 500,
    spent: 341.39,
    remaining: 158.61,
    percentRemaining: 31.7,
    resetPeriod: "monthly",
    resetsAt: "2026-03-01T00:00:00.000Z",
    includeByok: false,
    isLimiting: true,
    runsOutAt: null,
    isUpperBound: false,
    ...changes,
  };
}

export function balance(changes: Partial<Balance> = {}): Balance {
  return {
    totalLimit: 500,
    remaining: 158.61,
    resetPeriod: "monthly",
    usage: 341.49,
    usageDaily: 90.77,
    usageWeekly: 341.39,
    usageMonthly: 341.39,
    percentRemaining: 31.7,
    warningLowBudget: false,
    fetchedAt: FETCHED_AT,
    used: 341.39,
    resetsAt: "2026-03-01T00:00:00.000Z",
    spendable: 158.61,
    limitedBy: "key_limit",
    level: "ok",
    budgets: [budget()],
    refusedUntil: null,
    thresholds: ["10%", "$1"],
    account: null,
    accountError: null,
    byok: null,
    freeRequests: null,
    key: { label: "sk-or-v1-au7...890", expiresAt: null, isManagementKey: false, isFreeTier: false },
    pace: null,
    lowBecause: null,
    profile: null,
    stale: false,
    staleReason: null,
    ...changes,
  };
}

/** A balance without any limit. */
export function unlimited(changes: Partial<Balance> = {}): Balance {
  const nothing = { totalLimit: null, remaining: null, percentRemaining: null, used: null, resetsAt: null };
  return balance({ ...nothing, resetPeriod: null, spendable: null, limitedBy: null, level: "unlimited", budgets: [], ...changes });
}

/** A balance in an envelope. */
export function envelope(of: Partial<Balance> | null = {}, changes: Partial<Envelope> = {}): Envelope {
  const sent = of === null ? null : balance(of);
  const problem = of === null ? { error: "No.", code: "unreachable", hint: "" } : null;
  return { profile: null, profileCount: 1, hasAccount: false, sequence: 1, age: of === null ? null : 0, nextPollIn: 60, rate: null, runaway: null, balance: sent, problem, events: [], ...changes };
}

/** So many seconds after `FETCHED_AT`. */
export function later(seconds: number): string {
  return new Date(Date.parse(FETCHED_AT) + seconds * 1000).toISOString();
}
