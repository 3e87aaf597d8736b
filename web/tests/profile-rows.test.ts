// Profiles as rows of the table: their words are the key's page's.

import { describe, expect, it } from "vitest";
import type { Balance, Envelope, Pace } from "../src/generated";
import { ProfileRows, rowOf } from "../src/keys/profile-row";
import { UNKNOWN, withEnvelope } from "../src/state";
import { budget, envelope, FETCHED_AT, unlimited } from "./balances";

const NOW = 5_000_000;

function row(of: Partial<Balance> | null, changes: Partial<Envelope> = {}) {
  return rowOf("work", withEnvelope(undefined, envelope(of, changes), NOW), null);
}

const pace = (changes: Partial<Pace>) => ({ perDay: 5, scope: "key_limit", runsOutAt: null, isUpperBound: false, lastsUntilReset: null, ...changes }) as Pace;
const RUNS_OUT = "2026-02-14T09:39:47.000Z";

describe("a profile's row", () => {
  it("has what the key can spend, of what, and what it spent today", () => {
    expect(row({})).toMatchObject({
      id: "work",
      name: "work",
      href: "#/key/work",
      detail: "sk-or-v1-au7...890",
      status: "ok",
      needsAttention: false,
      spendable: 158.61,
      left: { name: "key limit", limit: 500, remaining: 158.61, percentRemaining: 31.7, colour: "yellow" },
      today: 90.77,
      freshAt: NOW,
      reason: null,
    });
  });

  it("names the profile whose key is in the environment", () => {
    expect(rowOf("", UNKNOWN, null)).toMatchObject({ name: "from the environment", href: "#/key/", status: "asking", noAmount: "–" });
  });

  it.each<[string, Partial<Balance>, string, number | null]>([
    ["runs out", { pace: pace({ runsOutAt: RUNS_OUT }), budgets: [budget({ runsOutAt: RUNS_OUT })] }, "runs out in 1 d 17 h · resets 1 March", Date.parse(RUNS_OUT)],
    ["lasts", { pace: pace({ lastsUntilReset: true }) }, "lasts until 1 March", Infinity],
    ["is spent", { level: "exhausted", refusedUntil: "2026-03-01T00:00:00.000Z" }, "refused until 1 March", -Infinity],
    ["is not known", {}, "resets 1 March", null],
    ["is not known, nor a reset", unlimited(), "–", null],
    ["has only free models", unlimited({ usage: 0, key: { label: null, expiresAt: null, isManagementKey: false, isFreeTier: true } }), "never runs out", null],
    ["has expired", { key: { label: null, expiresAt: FETCHED_AT, isManagementKey: false, isFreeTier: false } }, "key expired", null],
  ])("says until when: a key that %s", (_, of, words, endsAt) => {
    expect(row(of).end(NOW).text).toBe(words);
    expect(row(of).endsAt).toBe(endsAt);
  });

  it("counts the time since the answer", () => {
    const runsOut = row({ pace: pace({ runsOutAt: RUNS_OUT }), budgets: [budget({ runsOutAt: RUNS_OUT })] });
    expect(runsOut.end(NOW + 3_600_000).text).toBe("runs out in 1 d 16 h · resets 1 March");
  });

  it("has no bar where the account's credit limits it, and says so", () => {
    const account = { totalCredits: 10, totalUsage: 2, remaining: 8, source: "key" as const, runsOutAt: null, isUpperBound: true };
    expect(row({ ...unlimited(), level: "ok", spendable: 8, limitedBy: "account_credit", account })).toMatchObject({ left: null, noBar: "account's credit" });
  });

  it("names what runs out where something else limits the key, whose reset is left out", () => {
    const account = { totalCredits: 10, totalUsage: 2, remaining: 8, source: "key" as const, runsOutAt: RUNS_OUT, isUpperBound: true };
    const ofCredit = row({ account, pace: pace({ scope: "account_credit", runsOutAt: RUNS_OUT }) });
    expect(ofCredit.end(NOW).text).toBe("credit runs out in 1 d 17 h");
    const team = budget({ scope: "workspace", isLimiting: false, runsOutAt: RUNS_OUT });
    const ofTeam = row({ budgets: [budget(), team], pace: pace({ scope: "workspace", runsOutAt: RUNS_OUT }) });
    expect(ofTeam.end(NOW).text).toBe("workspace budget runs out in 1 d 17 h");
    const limiting = row({ ...unlimited(), level: "ok", spendable: 8, limitedBy: "account_credit", account, pace: pace({ scope: "account_credit", runsOutAt: RUNS_OUT }) });
    expect(limiting.end(NOW).text).toBe("runs out in 1 d 17 h");
  });

  it("says that money runs away, of what", () => {
    const runaway = { scope: "key_limit", period: null, since: FETCHED_AT, perMinute: 43, perDay: 60_000, timesPace: 900, runsOutAt: "2026-02-12T16:41:47.000Z", cause: null };
    const row_ = row({}, { runaway });
    expect([row_.isRunaway, row_.status]).toEqual([true, "ok"]);
    expect(row_.end(NOW)).toEqual({ text: "runs out in 2 min · resets 1 March", tone: "bad" });
    const ofTeam = row({}, { runaway: { ...runaway, scope: "workspace" } });
    expect(ofTeam.end(NOW)).toEqual({ text: "workspace budget runs out in 2 min", tone: "bad" });
    expect(row({ stale: true }, { runaway }).isRunaway).toBe(false);
    expect(row({ level: "exhausted" }, { runaway }).isRunaway).toBe(false);
  });

  it.each([
    ["refused", "refused"],
    ["configuration", "configuration"],
    ["unreachable", "unread"],
    ["starting", "asking"],
  ])("that cannot be read (%s) says why", (code, status) => {
    const problem = { error: "It does not work.", code, hint: "Do something." };
    expect(row(null, { problem })).toMatchObject({ status, reason: "It does not work", spendable: null, freshAt: null });
  });

  it("keeps what was known of a key that does not answer any more", () => {
    expect(row({ stale: true, staleReason: "OpenRouter answered 500." })).toMatchObject({ status: "unread", reason: "OpenRouter answered 500", spendable: 158.61 });
  });
});

describe("rows", () => {
  it("are the same while nothing of them changed", () => {
    const rows = new ProfileRows();
    const state = withEnvelope(undefined, envelope(), NOW);
    const days = new Map([["work", [1, 2]]]);
    const [first] = rows.of(new Map([["work", state]]), days);
    expect(rows.of(new Map([["work", state]]), days)[0]).toBe(first);
    expect(rows.of(new Map([["work", { ...state }]]), days)[0]).not.toBe(first);
    expect(rows.of(new Map([["work", state]]), new Map())[0]?.days).toBeNull();
  });
});
