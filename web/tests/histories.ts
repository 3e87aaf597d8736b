// Histories for tests: an empty one and its parts, of which each test changes what it is about. Times without a zone are UTC.

import type { HistoryDocument, Pace, Sample, SpendInterval } from "../src/generated";
import { FETCHED_AT } from "./balances";

export function point(at: string, spendable: number | null): Sample {
  return { at: `${at}Z`, spendable, remaining: spendable };
}

export function spend(from: string, to: string, usd: number, changes: Partial<SpendInterval> = {}): SpendInterval {
  return { from: `${from}Z`, to: `${to}Z`, usd, estimated: false, partial: false, reported: false, ...changes };
}

export function history(changes: Partial<HistoryDocument> = {}): HistoryDocument {
  const counts = { today: null, thisWeek: null, thisMonth: null, accountPerDay: null };
  return {
    since: "2026-01-13T16:39:47.000Z",
    until: FETCHED_AT,
    points: [],
    gaps: [],
    resets: [],
    spend: [],
    events: [],
    recent: {
      lastHour: null,
      lastDay: null,
      lastWeek: null,
      lastHourSince: null,
      lastDaySince: null,
      lastWeekSince: null,
      lastHourEstimated: false,
      lastDayEstimated: false,
      lastWeekEstimated: false,
      ...counts,
      since: null,
      until: null,
    },
    ...changes,
  };
}

/** Runs out on 14 February, with 500 a month to spend. */
export function pace(changes: Partial<Pace> = {}): Pace {
  return {
    perDay: 92.41,
    basis: "week",
    scope: "key_limit",
    runsOutAt: "2026-02-14T09:51:00.000Z",
    runsOutEarliest: "2026-02-13T22:00:00.000Z",
    runsOutLatest: "2026-02-16T12:00:00.000Z",
    isUpperBound: false,
    projectedAtReset: 1800,
    projectedAtResetLow: 1200,
    projectedAtResetHigh: 2400,
    lastsUntilReset: false,
    affordablePerDay: 9.74,
    evenPercentRemaining: 58,
    ...changes,
  };
}
