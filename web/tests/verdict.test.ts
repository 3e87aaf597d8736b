// What sums a key up: the verdict, the cells of the strip, the run-outs of the limits, when the server is asked next.

import { describe, expect, it } from "vitest";
import type { Account, Balance, Budget, Pace, Rate, Runaway } from "../src/generated";
import { firstToRunOut, limitRunOut, whyNoCredit } from "../src/limit-words";
import { evenPace, expiryCell, paceCell, untilCell, verdict } from "../src/words";
import { balance, budget, unlimited } from "./balances";

const NOW = Date.parse("2026-02-12T16:39:47Z");

const PACE: Pace = {
  perDay: 92.41,
  basis: "week",
  scope: "key_limit",
  runsOutAt: "2026-02-14T09:51:21.000Z",
  runsOutEarliest: "2026-02-13T21:46:47.000Z",
  runsOutLatest: "2026-02-14T16:51:21.000Z",
  isUpperBound: false,
  projectedAtReset: 1848.2,
  projectedAtResetLow: 1848.2,
  projectedAtResetHigh: 2511.4,
  lastsUntilReset: false,
  affordablePerDay: 9.74,
  evenPercentRemaining: 58.2,
};
const LASTS = { runsOutAt: null, runsOutEarliest: null, runsOutLatest: null, lastsUntilReset: true, projectedAtReset: 400 };
const RUNAWAY: Runaway = {
  scope: "key_limit",
  period: null,
  since: "2026-02-12T16:30:00Z",
  perMinute: 43,
  perDay: 61920,
  timesPace: 900,
  runsOutAt: "2026-02-12T16:41:09Z",
  cause: null,
};

/** A balance with a forecast for its only budget. */
function paced(changes: Partial<Pace> = {}, ofBudget: Partial<Budget> = {}, more: Partial<Balance> = {}): Balance {
  const pace = { ...PACE, ...changes };
  return balance({ pace, budgets: [budget({ runsOutAt: pace.runsOutAt, isUpperBound: pace.isUpperBound, ...ofBudget })], ...more });
}

function credit(changes: Partial<Account> = {}): Account {
  return { totalCredits: 50, totalUsage: 40, remaining: 10, source: "key", runsOutAt: null, isUpperBound: true, ...changes };
}

const exhausted = (changes: Partial<Balance> = {}) => balance({ level: "exhausted", warningLowBudget: true, spendable: 0, ...changes });
const expiring = (expiresAt: string, pace: Partial<Pace> = {}) => paced(pace, {}, { key: { ...balance().key, expiresAt } });

describe("the verdict", () => {
  const of = (one: Balance, runaway: Runaway | null = null) => {
    const { text, tone } = verdict(one, runaway, NOW);
    return `${text} (${tone})`;
  };

  it("names the run-out", () => {
    expect(of(paced())).toBe("Runs out 15 days before the reset (attention)");
    expect(of(paced({}, { resetsAt: "2026-02-15T20:51:21Z" }))).toBe("Runs out 1 d 11 h before the reset (attention)");
    expect(of(paced({ runsOutAt: "2026-02-12T19:39:47Z" }))).toBe("Runs out in 3 h, 16 days before the reset (attention)");
    expect(of(paced({ runsOutAt: "2026-02-12T16:39:47Z" }, { resetsAt: null }))).toBe("Runs out about now (attention)");
    expect(of(paced({ runsOutAt: "2026-02-12T19:39:47Z" }, { resetsAt: null }))).toBe("Runs out in 3 h (attention)");
    expect(of(paced({ runsOutAt: "2026-03-19T20:39:47Z" }, { resetsAt: null }))).toBe("Runs out in 35 d (plain)");
    expect(of(paced({ isUpperBound: true }, { resetsAt: null }))).toBe("Runs out Sat 14 Feb at the latest (plain)");
    expect(of(paced({ isUpperBound: true, runsOutAt: "2026-02-12T19:39:47Z" }, { resetsAt: null }))).toBe("Runs out in 3 h at the latest (attention)");
  });

  it("names what runs out, where that is not what limits the key", () => {
    const member = budget({ scope: "member", isLimiting: false, runsOutAt: PACE.runsOutAt });
    expect(of(balance({ pace: { ...PACE, scope: "member" }, budgets: [member, budget()] }))).toBe(
      "Member budget runs out 15 days before its reset (attention)",
    );
  });

  it("says until when it lasts", () => {
    expect(of(paced(LASTS))).toBe("Lasts until 1 March (good)");
    expect(of(paced(LASTS, { resetsAt: "2026-02-12T22:00:00Z" }))).toBe("Lasts until the reset today, 23:00 (good)");
    expect(of(paced(LASTS, { resetsAt: "2026-02-13T00:00:00Z" }))).toBe("Lasts until the reset tomorrow, 01:00 (good)");
    expect(of(paced({ ...LASTS, lastsUntilReset: null }, { resetsAt: null }))).toBe("Lasts ten years or more (good)");
    expect(of(balance())).toBe("When it runs out is not known (plain)");
  });

  it("says until when requests are refused", () => {
    expect(of(exhausted({ refusedUntil: "2026-02-13T00:00:00Z" }))).toBe("Refused until 01:00 (bad)");
    expect(of(exhausted({ refusedUntil: "2026-03-01T00:00:00Z" }))).toBe("Refused until 1 March (bad)");
    expect(of(exhausted())).toBe("Refused until the limit is raised (bad)");
    expect(of(exhausted({ account: credit({ remaining: 0 }), refusedUntil: "2026-03-01T00:00:00Z" }))).toBe("Refused until credit is bought (bad)");
  });

  it("says what is not limited, or free", () => {
    const free = (remaining: number) =>
      unlimited({ usage: 0, key: { ...balance().key, isFreeTier: true }, freeRequests: { used: 50 - remaining, limit: 50, remaining } });
    expect(of(unlimited())).toBe("No limit on this key (plain)");
    expect(of(free(38))).toBe("Free models only (plain)");
    expect(of(free(0))).toBe("No free requests left today (attention)");
  });

  it("puts a runaway before a low level, and that before the key's end", () => {
    const low = { level: "low" as const, warningLowBudget: true, lowBecause: { threshold: "10%", scope: "key_limit" } };
    const key = { ...balance().key, expiresAt: "2026-02-13T00:00:00Z" };
    expect(of(balance({ ...low, key }), RUNAWAY)).toBe("Gone in 1 min 22 s at this rate (bad)");
    expect(of(balance({ ...low, key }), { ...RUNAWAY, runsOutAt: "2026-02-12T16:39:47Z" })).toBe("Gone by now at this rate (bad)");
    expect(of(balance({ ...low, key }), { ...RUNAWAY, runsOutAt: null })).toBe("Spending $43.00 a minute (bad)");
    expect(of(balance({ ...low, key }))).toBe("Low: less than 10% of the key limit is left (bad)");
    expect(of(balance({ key }))).toBe("Key expires tomorrow, 01:00 (attention)");
  });

  it("names the key's end where it comes first", () => {
    expect(of(expiring("2026-02-12T16:39:47Z"))).toBe("Key expired (bad)");
    expect(of(expiring("2026-02-12T21:00:00Z"))).toBe("Key expires today, 22:00 (attention)");
    expect(of(expiring("2026-02-15T21:00:00Z"))).toBe("Runs out 15 days before the reset (attention)");
    expect(of(expiring("2026-02-15T21:00:00Z", LASTS))).toBe("Key expires Sun 15 Feb (attention)");
    expect(of(expiring("2026-02-25T21:00:00Z", LASTS))).toBe("Lasts until 1 March (good)");
    expect(of(expiring("2027-02-25T21:00:00Z", { runsOutAt: "2028-01-01T00:00:00Z" }))).toBe("Key expires Thu 25 Feb 2027 (plain)");
  });
});

describe("the cell of the run-out", () => {
  it("says when, between when, and for how long nothing is left", () => {
    expect(untilCell(paced(), null, NOW)).toEqual({
      label: "Runs out",
      value: "in 1 d 17 h",
      lines: ["Sat 14 Feb, 10:51 CET", "between 1 d 5 h and 2 d from now", "then nothing for 15 days, until the reset"],
      tone: "attention",
    });
    expect(untilCell(paced(), null, Date.parse("2026-02-13T22:00:00Z")).lines[1]).toBe("between now and 18 h 51 min from now");
    expect(untilCell(paced({}, { resetsAt: "2026-02-14T10:51:20Z" }), null, NOW).lines).toHaveLength(2);
  });

  it("is amber within a day, and red where the level is low", () => {
    expect(untilCell(paced({ runsOutAt: "2026-02-13T16:39:46Z" }), null, NOW).tone).toBe("attention");
    expect(untilCell(paced({}, {}, { warningLowBudget: true, level: "low" }), null, NOW).tone).toBe("bad");
  });

  it("says of credit that it is an upper bound", () => {
    const pace = { ...PACE, scope: "account_credit", isUpperBound: true, runsOutEarliest: null, runsOutLatest: null };
    const cell = untilCell(balance({ pace, account: credit(), limitedBy: "account_credit", budgets: [] }), null, NOW);
    expect([cell.value, ...cell.lines]).toEqual([
      "in 1 d 17 h at the latest",
      "Sat 14 Feb, 10:51 CET",
      "unless topped up; others may spend from it, too",
    ]);
  });

  it("says until when it lasts, and with how much", () => {
    const cell = untilCell(paced({ ...LASTS, runsOutEarliest: "2026-02-20T16:39:47Z" }), null, NOW);
    expect(cell).toEqual({
      label: "Lasts",
      value: "until 1 March",
      lines: ["Sun 1 Mar, 01:00 CET", "with $400.00 of $500.00 spent by then", "at the earliest it runs out in 8 d"],
      tone: "plain",
    });
    expect(untilCell(paced({ ...LASTS, projectedAtResetLow: 300, projectedAtResetHigh: 450 }), null, NOW).lines[2]).toBe(
      "between $300.00 and $450.00 in all",
    );
  });

  it("says until when requests are refused, and why", () => {
    const of = (changes: Partial<Balance>) => untilCell(exhausted(changes), null, NOW);
    expect(of({ refusedUntil: "2026-02-13T00:00:00Z" })).toEqual({
      label: "Refused until",
      value: "01:00",
      lines: ["in 7 h 20 min", "Fri 13 Feb, 01:00 CET"],
      tone: "bad",
    });
    expect(of({}).lines).toEqual(["the key limit is spent, and no reset will help"]);
    expect(of({ account: credit({ remaining: 0 }) }).lines).toEqual(["the account's credit is used up"]);
    expect(of({ account: credit({ remaining: -1 }) }).lines).toEqual(["the account's credit is negative: even free models are refused"]);
    expect(untilCell(expiring("2026-02-12T16:39:47Z"), null, NOW)).toMatchObject({ label: "Refused", value: "key expired" });
  });

  it("says when the key expires where the header does", () => {
    const even = { ...LASTS, projectedAtResetLow: 400, projectedAtResetHigh: 400 };
    expect(expiryCell(expiring("2026-02-15T21:00:00Z", even), null, NOW)).toEqual({
      label: "Key expires",
      value: "in 3 d 4 h",
      lines: ["Sun 15 Feb, 22:00 CET", "the money lasts until 1 March", "Sun 1 Mar, 01:00 CET", "with $400.00 of $500.00 spent by then"],
      tone: "attention",
    });
    const late = expiring("2027-02-25T21:00:00Z", { runsOutAt: "2028-01-01T00:00:00Z" });
    expect(expiryCell(late, null, NOW)?.tone).toBe("plain");
    expect(expiryCell(late, null, NOW)?.lines[1]).toBe("the money runs out in 687 d 7 h");
    expect(expiryCell(expiring("2026-02-25T21:00:00Z", LASTS), null, NOW)).toBeNull();
    expect(expiryCell(expiring("2026-02-15T21:00:00Z"), null, NOW)).toBeNull();
    expect(expiryCell(expiring("2026-02-15T21:00:00Z", LASTS), RUNAWAY, NOW)).toBeNull();
  });

  it("is that of a runaway where it comes first", () => {
    expect(untilCell(paced(), RUNAWAY, NOW)).toMatchObject({ value: "in 1 min 22 s", lines: ["at $43.00 a minute", "Thu 12 Feb, 17:41 CET"], tone: "bad" });
    expect(untilCell(paced(), { ...RUNAWAY, runsOutAt: "2026-02-15T00:00:00Z" }, NOW).value).toBe("in 1 d 17 h");
    expect(untilCell(paced(), { ...RUNAWAY, runsOutAt: null }, NOW).value).toBe("in 1 d 17 h");
  });

  it("says why nothing is known", () => {
    const of = (one: Balance) => untilCell(one, null, NOW);
    expect(of(balance())).toMatchObject({ value: "not known", lines: ["OpenRouter does not report how fast this limit is spent"] });
    expect(of(balance({ account: credit() })).lines[0]).toContain("this key spends nothing");
    expect(of(unlimited()).lines[0]).toContain("no limit that could run out");
    expect(of(unlimited({ usage: 0, key: { ...balance().key, isFreeTier: true } }))).toMatchObject({ value: "never" });
  });
});

describe("the cell of the pace", () => {
  const rate = { perMinute: 0.195833, timesPace: 3, runsOutAt: null, scope: "key_limit" } as Rate;

  it("says how fast, by what, right now, and what would last", () => {
    expect(paceCell(paced(), rate, NOW)).toEqual({
      value: "$92.41",
      unit: "a day",
      basis: "by this week (UTC)",
      rightNow: "now $11.75 an hour, 3 × the usual pace",
      toLast: "to last until the reset: at most $9.74 a day",
      upTo: null,
    });
    expect(paceCell(paced(LASTS), null, NOW)).toMatchObject({ rightNow: null, toLast: null, upTo: "lasts at up to $9.74 a day" });
    expect(paceCell(paced({ isUpperBound: true }), null, NOW).unit).toBe("a day by this key");
  });

  it("says why nothing is known", () => {
    expect(paceCell(exhausted({ pace: PACE }), rate, NOW)).toMatchObject({ value: null, rightNow: null });
    expect(paceCell(balance(), rate, NOW)).toMatchObject({ value: null, rightNow: "now $11.75 an hour, 3 × the usual pace" });
  });

  it("compares with an even pace", () => {
    expect(evenPace(paced())).toBe("An even pace would have 58% left now");
    expect(evenPace(paced({ evenPercentRemaining: null }))).toBeNull();
    expect(evenPace(paced({}, { isLimiting: false }))).toBeNull();
  });
});

describe("every limit", () => {
  const of = (limit: Budget | Account, changes: Partial<Balance> = {}) => limitRunOut(limit, balance(changes), NOW);

  it("has its run-out", () => {
    expect(of(budget({ runsOutAt: PACE.runsOutAt }))).toBe("in 1 d 17 h");
    expect(of(budget({ runsOutAt: PACE.runsOutAt, isUpperBound: true }))).toBe("in 1 d 17 h at the latest");
    expect(of(budget({ runsOutAt: "2026-02-12T16:39:47Z" }))).toBe("about now");
    expect(of(budget({ remaining: 0, runsOutAt: PACE.runsOutAt }))).toBe("spent");
    expect(of(credit())).toBe("not known");
    expect(of(credit({ runsOutAt: PACE.runsOutAt }))).toBe("in 1 d 17 h at the latest");
    expect(of(credit({ remaining: 0 }))).toBe("used up");
  });

  it("lasts only where that is known", () => {
    const notTold = { usageDaily: null, usageWeekly: null, usageMonthly: null };
    const other = budget({ isLimiting: false });
    expect(of(other)).toBe("lasts");
    expect(of(other, notTold)).toBe("not known");
    expect(of(budget(), { ...notTold, pace: { ...PACE, ...LASTS } })).toBe("lasts");
    expect(of({ ...other, includeByok: true })).toBe("not known");
    expect(of({ ...other, scope: "member" }, notTold)).toBe("lasts");
    expect(of({ ...other, scope: "member", resetPeriod: null, resetsAt: null })).toBe("not known");
    expect(of({ ...other, scope: "galaxy", resetPeriod: "lunar", resetsAt: null })).toBe("not known");
  });

  it("stands where it runs out first, equals as OpenRouter enforces them", () => {
    const at = (scope: string, runsOutAt: string | null, remaining = 5) => budget({ scope, runsOutAt, remaining });
    const order = [at("a", null), at("b", "2026-02-15T00:00:00Z"), at("c", null), at("d", "2026-02-13T00:00:00Z"), at("e", null, 0), at("f", null, -1)];
    expect(firstToRunOut(order).map(({ scope }) => scope).join("")).toBe("efdbac");
    expect(order[0]?.scope).toBe("a");
  });

  it("ends with why the account's credit is not among them", () => {
    expect(whyNoCredit(balance())).toBe("not known: OpenRouter did not tell it to this key");
    expect([balance({ account: credit() }), balance({ accountError: "no" }), unlimited()].map(whyNoCredit)).toEqual([null, null, null]);
  });
});
