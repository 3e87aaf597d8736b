import { describe, expect, it } from "vitest";
import type { Balance, Level, Pace, Rate, Recent, Runaway } from "../src/generated";
import { spent, unseen } from "../src/chart/recent";
import {
  accountNote,
  amountInWords,
  barColour,
  budgetLevel,
  budgetName,
  expiry,
  limitedBy,
  limitingBudget,
  needsAttention,
  paceName,
  percentLeft,
  rateInWords,
  runawayInWords,
  warning,
} from "../src/words";
import { balance, budget, unlimited } from "./balances";

const NOW = Date.parse("2026-02-12T16:39:47Z");

describe("the colour of a bar", () => {
  it.each<[number, Level, string]>([
    [80, "ok", "green"],
    [50.1, "ok", "green"],
    [50, "ok", "yellow"],
    [9, "ok", "yellow"],
    [80, "low", "red"],
    [80, "exhausted", "red"],
  ])("at %d %% and %s is %s", (percent, level, colour) => expect(barColour(percent, level)).toBe(colour));

  it("of one budget is not that of the worst", () => {
    const [key, workspace] = [budget({ percentRemaining: 80 }), budget({ scope: "workspace", percentRemaining: 2 })];
    const lowBecause = { threshold: "10%", scope: "workspace" };
    const low = balance({ level: "low", lowBecause, budgets: [key, workspace] });
    expect(budgetLevel(key, low)).toBe("ok");
    expect(budgetLevel(workspace, low)).toBe("low");
    expect(budgetLevel(budget({ remaining: 0 }), low)).toBe("exhausted");
    expect(budgetLevel(workspace, { ...low, lowBecause: { threshold: "3d", scope: "workspace" } })).toBe("ok");
  });

  it("of one budget is not that of another of its scope", () => {
    const [daily, monthly] = [budget({ scope: "api_key", percentRemaining: 9 }), budget({ scope: "api_key", percentRemaining: 5 })];
    const low = balance({ level: "low", lowBecause: { threshold: "10%", scope: "api_key" }, budgets: [daily, monthly] });
    expect([daily, monthly].map((one) => budgetLevel(one, low))).toEqual(["ok", "low"]);
  });
});

describe("what is drawn large", () => {
  it("is the budget that limits, of several of its scope too", () => {
    const [member, other] = [budget({ scope: "member", isLimiting: false }), budget({ scope: "member", resetPeriod: "daily" })];
    const several = balance({ limitedBy: "member", budgets: [member, other] });
    expect(limitingBudget(several)).toBe(other);
    expect([limitedBy(several), budgetName(member, several)]).toEqual(["daily member budget", "monthly member budget"]);
    expect(percentLeft(several)).toBe("31.7%");
  });

  it("is told apart from what runs out first", () => {
    const [monthly, daily] = [
      budget({ scope: "member", isLimiting: false, runsOutAt: "2026-02-14T00:00:00Z" }),
      budget({ scope: "member", resetPeriod: "daily", runsOutAt: null }),
    ];
    const of = (changes: Partial<Balance>, pace: Partial<Pace>) =>
      paceName(balance({ limitedBy: "member", budgets: [monthly, daily], pace: pace as Pace, ...changes }));
    expect(of({}, { scope: "member", runsOutAt: "2026-02-14T00:00:00Z" })).toBe("monthly member budget");
    expect(of({}, { scope: "member", runsOutAt: null })).toBeNull();
    expect(of({ budgets: [{ ...monthly, runsOutAt: null }, daily] }, { scope: "member", runsOutAt: null })).toBeNull();
    expect(of({}, { scope: "account_credit", runsOutAt: "2026-02-13T00:00:00Z" })).toBe("account's credit");
    expect(of({ limitedBy: "account_credit" }, { scope: "account_credit", runsOutAt: null })).toBeNull();
  });

  it("is nothing where the credit limits, which has no percentage", () => {
    const credit = balance({ limitedBy: "account_credit", budgets: [budget({ isLimiting: false })] });
    expect([limitingBudget(credit), percentLeft(credit), limitedBy(credit)]).toEqual([null, null, "account's credit"]);
    expect([limitingBudget(unlimited()), limitedBy(unlimited())]).toEqual([null, null]);
  });
});

describe("the amount", () => {
  const freeTier = (changes: Partial<Balance> = {}) =>
    unlimited({ usage: 0, key: { ...balance().key, isFreeTier: true }, ...changes });

  it("is in dollars, or words", () => {
    expect(amountInWords(balance())).toBe("$158.61");
    expect(amountInWords(balance({ spendable: 0 }))).toBe("$0.00");
    expect(amountInWords(unlimited())).toBe("no limit on this key");
    expect(amountInWords(freeTier())).toBe("free models only");
    expect(amountInWords(freeTier({ usage: 3.2 }))).toBe("no limit on this key");
  });

  it("comes with what is not known of the account", () => {
    expect(accountNote(balance(), NOW)).toBeNull();
    expect(accountNote(unlimited(), NOW)).toContain("OPENROUTER_MANAGEMENT_KEY");
    expect(accountNote(balance({ accountError: "it was refused" }), NOW)).toContain("it was refused");
  });

  it("comes with the free requests that are left", () => {
    const left = (remaining: number) => accountNote(freeTier({ freeRequests: { used: 50 - remaining, limit: 50, remaining } }), NOW);
    expect(left(38)).toBe("38 of 50 free requests left today, until Fri 13 Feb, 01:00 CET.");
    expect(left(0)).toBe("None of 50 free requests left today, until Fri 13 Feb, 01:00 CET.");
    expect(accountNote(freeTier(), NOW)).toBeNull();
  });

  it("comes with a word about large requests while there is little credit", () => {
    const note = (remaining: number) =>
      accountNote(balance({ account: { totalCredits: 50, totalUsage: 50 - remaining, remaining, source: "key", runsOutAt: null, isUpperBound: false } }), NOW);
    expect([10, 0].map(note)).toEqual([null, null]);
    expect(note(9.99)).toContain("may refuse large requests");
  });

  it("needs attention when it runs out within a day, and is not low yet", () => {
    const runsOutAt = (at: string | null, changes: Partial<Balance> = {}) =>
      needsAttention(balance({ pace: { runsOutAt: at } as Pace, ...changes }));
    expect(runsOutAt("2026-02-13T16:39:46Z")).toBe(true);
    expect(runsOutAt("2026-02-13T16:39:47Z")).toBe(false);
    expect(runsOutAt(null)).toBe(false);
    expect(runsOutAt("2026-02-13T16:39:46Z", { warningLowBudget: true, level: "low" })).toBe(false);
  });
});

describe("the warning", () => {
  it("is absent while all is well", () => {
    expect(warning(balance(), NOW)).toBeNull();
    expect(warning(unlimited(), NOW)).toBeNull();
  });

  const low = (changes: Partial<Balance>) =>
    warning(balance({ level: "low", warningLowBudget: true, spendable: 8, ...changes }), NOW);

  it("says which threshold was crossed, as the terminal does", () => {
    expect(low({ lowBecause: { threshold: "10%", scope: "workspace" } })).toBe("Low: less than 10% of the workspace budget is left.");
    expect(low({ lowBecause: { threshold: "$60.5", scope: null } })).toBe("Low: less than $60.50 is left.");
    expect(low({ lowBecause: { threshold: "$1", scope: "account_credit" } })).toBe("Low: less than $1.00 of the account's credit is left.");
    expect(low({ lowBecause: { threshold: "3d", scope: "workspace" } })).toBe("Low: it runs out in less than 3 d.");
    expect(low({ lowBecause: { threshold: "90m", scope: "workspace" } })).toBe("Low: it runs out in less than 1 h 30 min.");
  });

  it("says until when requests are refused: until the last of the spent budgets resets", () => {
    const exhausted = (refusedUntil: string | null) =>
      warning(balance({ level: "exhausted", warningLowBudget: true, refusedUntil }), NOW);
    expect(exhausted("2026-02-16T00:00:00.000Z")).toBe("Requests are refused until Mon 16 Feb, 01:00 CET.");
    expect(exhausted(null)).toBe("Requests are refused until that limit is raised.");
  });

  it("says that the credit is used up, which no reset changes", () => {
    const broke = (remaining: number) =>
      warning(balance({ level: "exhausted", account: { totalCredits: 5, totalUsage: 5 - remaining, remaining, source: "management_key", runsOutAt: null, isUpperBound: false } }), NOW);
    expect(broke(0)).toContain("used up");
    expect(broke(-2.5)).toContain("even free models are refused");
  });
});

describe("the key's end", () => {
  const ends = (expiresAt: string | null, pace: Pace | null = null) =>
    expiry(balance({ key: { ...balance().key, expiresAt }, pace }), NOW);

  it("is noted a week before, and after", () => {
    expect(ends(null)).toBeNull();
    expect(ends("2026-02-20T16:39:47Z")).toBeNull();
    expect(ends("2026-02-15T19:39:47Z")?.text).toBe("The key expires in 3 d 3 h, on Sun 15 Feb, 20:39 CET.");
    expect(ends("2026-02-12T16:39:47Z")).toEqual({
      text: "The key expired on Thu 12 Feb, 17:39 CET: requests are refused.",
      isOver: true,
    });
  });

  it("is noted earlier when it comes before the money runs out", () => {
    const pace = { runsOutAt: "2026-05-01T00:00:00Z" } as Pace;
    expect(ends("2026-04-01T00:00:00Z", pace)?.text).toContain("before the money runs out");
  });
});

describe("the rate right now", () => {
  const rate = (changes: Partial<Rate>): Rate => ({
    last1m: null,
    last5m: null,
    last15m: null,
    perMinute: 43,
    timesPace: 900,
    runsOutAt: "2026-02-12T16:41:09Z",
    scope: "key_limit",
    ...changes,
  });

  it("is in the terminal's words", () => {
    expect(rateInWords(rate({}), NOW)).toBe(
      "now $43.00 a minute, 900 × the usual pace: the key limit is gone in 1 min 22 s",
    );
    expect(rateInWords(rate({ timesPace: 1.4, runsOutAt: "2026-02-14T16:39:47Z" }), NOW)).toBe("now $2,580.00 an hour");
    expect(rateInWords(rate({ perMinute: 0.195833, timesPace: 2.5, runsOutAt: null }), NOW)).toBe("now $11.75 an hour, 2 × the usual pace");
    expect(rateInWords(rate({ perMinute: 0 }), NOW)).toBe("now nothing is spent");
  });

  it("is an alarm while it is a runaway", () => {
    const runaway: Runaway = {
      scope: "member",
      period: "daily",
      since: "2026-02-12T16:30:00Z",
      perMinute: 43,
      perDay: 61920,
      timesPace: 900,
      runsOutAt: "2026-02-12T16:41:09Z",
      cause: null,
    };
    expect(runawayInWords(runaway, NOW)).toContain("the daily member budget is gone in 1 min 22 s");
    expect(runawayInWords(runaway, NOW + 90_000)).toContain("the daily member budget is gone");
    expect(runawayInWords({ ...runaway, runsOutAt: null }, NOW)).toContain("pace of the daily member budget");
  });
});

describe("what was spent lately", () => {
  it("says since when it was watched, where that was not the whole time", () => {
    expect(spent(null, null, false, NOW)).toBeNull();
    expect(spent(0.42, null, false, NOW)).toBe("$0.42");
    expect(spent(0, "2026-02-12T14:02:00Z", false, NOW)).toBe("since Thu 12 Feb, 15:02 CET: $0.00");
    expect(spent(3, "2026-02-12T14:02:00Z", true, NOW)).toBe("since Thu 12 Feb, 15:02 CET: ~$3.00");
  });

  it("says what OpenRouter counts beyond what was seen", () => {
    const nothing = { today: null, thisWeek: null, thisMonth: null } as Recent;
    expect(unseen(nothing)).toBeNull();
    expect(unseen({ ...nothing, today: { counted: 5, seen: 5 }, thisWeek: { counted: 341.39, seen: 0 } })).toBe(
      "OpenRouter counts $341.39 more this week than was seen.",
    );
    expect(unseen({ ...nothing, thisWeek: { counted: 9, seen: 4 }, thisMonth: { counted: 10, seen: 5 } })).toBe(
      "OpenRouter counts $5.00 more this week than was seen.",
    );
  });
});
