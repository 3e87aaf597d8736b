// What the account's strip says, and its keys as rows of the table.

import { describe, expect, it } from "vitest";
import { rowsOf } from "../src/account/keys";
import { lasts, next, spent, throughInWords } from "../src/account/strip";
import { type Dated, hold } from "../src/clock";
import { found } from "../src/keys/row";
import { type Profiles, UNKNOWN } from "../src/state";
import { account, accountKey, credit, keyList } from "./accounts";
import { balance, FETCHED_AT, later } from "./balances";

const NOW = Date.parse(FETCHED_AT);

describe("how long the credit lasts", () => {
  const of = (changes: Parameters<typeof credit>[0]) => lasts(credit(changes), NOW);
  const pace = credit().pace;

  it("is by what the whole account spends", () => {
    expect(of({})).toMatchObject({ label: "Credit runs out", value: "in 68 d 19 h", tone: "plain" });
    expect(of({}).lines).toEqual(["at $1.09 a day, by this month (UTC)", "Wed 22 Apr, 14:00 CEST"]);
  });

  it("is a colour only where it is soon or low", () => {
    if (pace === null) throw new Error("no pace");
    expect(of({ pace: { ...pace, runsOutAt: later(3600) } })).toMatchObject({ value: "in 1 h", tone: "attention" });
    expect(of({ level: "low" }).tone).toBe("bad");
  });

  it("is long where nothing is spent, and not known without a pace or a credit", () => {
    if (pace === null) throw new Error("no pace");
    expect(of({ pace: { ...pace, perDay: 0, runsOutAt: null } })).toMatchObject({ label: "Credit lasts", value: "while nothing is spent", lines: ["by this month (UTC)"] });
    expect(of({ pace: { ...pace, runsOutAt: null } })).toMatchObject({ label: "Credit lasts", value: "ten years or more" });
    expect(of({ pace: null })).toMatchObject({ value: "not known", lines: ["OpenRouter did not tell what the account spends"] });
    expect(of({ credit: null, pace: null })).toMatchObject({ value: "not known", lines: [] });
  });

  it("is over where it is used up or negative", () => {
    const left = (remaining: number) => ({ totalCredits: 10, totalUsage: 10 - remaining, remaining, source: "key" as const, runsOutAt: null, isUpperBound: false });
    expect(of({ credit: left(0) })).toMatchObject({ label: "Refused until", value: "credit is bought", lines: ["the credit is used up"], tone: "bad" });
    expect(of({ credit: left(-2) }).lines).toEqual(["the credit is negative: even free models are refused"]);
  });
});

describe("the next key to run out", () => {
  it("is named, with when and what is left", () => {
    const key = accountKey("batch-night", { level: "low", totalLimit: 10, remaining: 0.42, resetPeriod: "daily", runsOutAt: later(11_400) });
    expect(next(key, NOW)).toEqual({
      label: "Next key to run out",
      value: "batch-night",
      lines: ["in 3 h 10 min", "Thu 12 Feb, 20:49 CET", "$0.42 left of $10.00 daily"],
      tone: "bad",
    });
    expect(next(accountKey("a", { runsOutAt: later(11_400) }), NOW).tone).toBe("attention");
    expect(next(accountKey("a", { runsOutAt: later(400_000) }), NOW).tone).toBe("plain");
  });

  it("is cut where its name is long, and has its label where it has no name", () => {
    expect(next(accountKey("n".repeat(200)), NOW).value).toBe(`${"n".repeat(47)}…`);
    expect(next(accountKey(" ", { label: "sk-or-v1-abc...def" }), NOW).value).toBe("sk-or-v1-abc...def");
    expect(next(accountKey("", { label: null }), NOW).value).toBe("no name");
  });

  it("may be none", () => {
    expect(next(null, NOW).value).toBe("none");
  });

  it("is of the keys that are known, where some are missing", () => {
    expect(next(accountKey("a"), NOW, 150).lines[0]).toBe("of the 150 keys known so far");
    expect(next(null, NOW, 1).lines[0]).toBe("of the 1 key known so far");
  });
});

describe("what was spent in 30 days", () => {
  const of = (changes: Parameters<typeof account>[0]) => spent(account(changes), NOW);
  const before = (usd: number | null) => of({ spent: { since: "", until: "", usd: 10, requests: null, perRequest: null, before: usd } }).lines[0];

  it("is said with its requests, the change, and where the numbers end", () => {
    expect(of({}).value).toBe("$16.28");
    expect(of({}).lines).toEqual(["4,650 requests · $0.0145 each", "100.0% more than in the 30 days before", "through 17:39"]);
  });

  it("is compared only with what is known", () => {
    expect(before(20)).toBe("50.0% less than in the 30 days before");
    expect(before(10.001)).toBe("as much as in the 30 days before");
    expect(before(0)).toBe("nothing in the 30 days before");
    expect(before(null)).toBe("the 30 days before: –");
  });

  it("ends with the last completed day where there are no analytics", () => {
    expect(throughInWords("2026-02-12T00:00:00.000Z", true, NOW)).toBe("through yesterday (UTC)");
    expect(throughInWords("2026-02-11T00:00:00.000Z", true, NOW)).toBe("through 10 Feb (UTC)");
    expect(throughInWords("2026-02-11T22:30:00.000Z", false, NOW)).toBe("through 11 Feb, 23:30");
  });

  it("is not zero where it is not known", () => {
    expect(of({ spent: null })).toMatchObject({ value: "–", lines: ["Asking OpenRouter…"] });
    expect(of({ spent: null, spentError: "It did not answer." })).toMatchObject({ value: "–", lines: ["It did not answer."] });
    expect(of({ spentError: "It did not answer." }).lines.at(-1)).toBe("not renewed: It did not answer");
  });
});

describe("a key as a row", () => {
  const dated: Dated = { balance: { fetchedAt: FETCHED_AT }, freshAt: 0 };
  const rowOf = (changes: Parameters<typeof accountKey>[1], profiles: Profiles = new Map()) => {
    const [row] = rowsOf(keyList([accountKey("night", changes)]), null, profiles, dated);
    if (row === undefined) throw new Error("no row");
    return row;
  };
  const profileOf = (name: string, label: string): Profiles => {
    const key = { label, expiresAt: null, isManagementKey: false, isFreeTier: false };
    return new Map([[name, { ...UNKNOWN, held: hold(balance({ key }), 0, 0) }]]);
  };
  const end = (changes: Parameters<typeof accountKey>[1]) => rowOf(changes).end(0);

  it("links to its own page where it is a profile's, else to OpenRouter's", () => {
    expect(rowOf({ hash: "a/b" }).href).toBe("https://openrouter.ai/keys/a%2Fb");
    expect(rowOf({}, profileOf("my night", "sk-or-v1-night...1f9")).href).toBe("#/key/my%20night");
  });

  it("is not taken for a profile's where two have the same label", () => {
    const two = [accountKey("a", { label: "same" }), accountKey("b", { label: "same" })];
    for (const row of rowsOf(keyList(two), null, profileOf("a", "same"), dated)) expect(row.href).toMatch(/^https:/);
  });

  it("says when it runs out and is reset", () => {
    expect(end({})).toEqual({ text: "lasts until 1 March", tone: "plain" });
    expect(end({ perDay: null, resetsAt: null })).toEqual({ text: "never resets", tone: "plain" });
    expect(end({ runsOutAt: later(200_000) })).toEqual({ text: "runs out in 2 d 7 h · resets 1 March", tone: "attention" });
    expect(end({ runsOutAt: later(200_000), resetsAt: null }).tone).toBe("plain");
    expect(end({ runsOutAt: later(200_000), level: "low" }).tone).toBe("bad");
    expect(end({ remaining: -1, level: "exhausted" })).toEqual({ text: "refused until 1 March", tone: "bad" });
    expect(end({ remaining: 0, level: "exhausted", resetsAt: null })).toEqual({ text: "used up · never resets", tone: "bad" });
    expect(end({ expiresAt: later(86_400) })).toEqual({ text: "lasts until 1 March · expires in 1 d", tone: "attention" });
  });

  it("is in order by its end: what is gone first, what lasts last", () => {
    expect(rowOf({ remaining: -1 }).endsAt).toBe(-Infinity);
    expect(rowOf({ runsOutAt: later(60) }).endsAt).toBe(Date.parse(later(60)));
    expect(rowOf({}).endsAt).toBe(Infinity);
    expect(rowOf({ perDay: null }).endsAt).toBeNull();
  });

  it("may have no limit", () => {
    const row = rowOf({ totalLimit: null, remaining: null, percentRemaining: null, level: "unlimited" });
    expect(row).toMatchObject({ spendable: null, noAmount: "no limit", left: null, noBar: "account’s credit", endsAt: Infinity });
    expect(row.end(0).text).toBe("–");
  });

  it("is hidden behind a chip where it cannot be used", () => {
    const keys = [accountKey("a"), accountKey("b", { disabled: true }), accountKey("c", { expired: true, expiresAt: "2026-02-01T00:00:00.000Z" })];
    const rows = rowsOf(keyList(keys), null, new Map(), dated);
    const names = (groups: string[]) => found(rows, groups, "").map(({ name }) => name);
    expect(rows.map(({ status, reason }) => [status, reason])).toEqual([["ok", null], ["disabled", "disabled"], ["expired", "expired on Sun 1 Feb"]]);
    expect(names([])).toEqual(["a"]);
    expect(names(["disabled"])).toEqual(["b"]);
    expect(found(rows.slice(1), [], "").map(({ name }) => name)).toEqual(["b", "c"]);
  });

  it("has its workspace beside it where there are several, else its label", () => {
    const keys = [accountKey("a")];
    const workspaces = ["Default", "Other"].map((name) => ({ id: name, name, slug: null }));
    expect(rowsOf(keyList(keys), null, new Map(), dated)[0]?.detail).toBe("sk-or-v1-a...1f9");
    expect(rowsOf(keyList(keys, { workspaces }), null, new Map(), dated)[0]?.detail).toBe("Default");
  });

  it("has the days that are known of it", () => {
    const days = { since: "", until: "", source: "history" as const, complete: true, incompleteReason: null, keys: { "hash of a": [null, 2] } };
    expect(rowsOf(keyList([accountKey("a"), accountKey("b")]), days, new Map(), dated).map((row) => row.days)).toEqual([[null, 2], null]);
  });
});
