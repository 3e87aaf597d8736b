// Announcements, the tab's title and its icon.

import { describe, expect, it } from "vitest";
import { whatChanged } from "../src/announce";
import { Refusal, Unreachable } from "../src/api";
import { hold } from "../src/clock";
import type { Balance, Pace } from "../src/generated";
import { icon as iconOf, title } from "../src/icon";
import { inWords } from "../src/login";
import { ringOf } from "../src/ring";
import { isOld, type View } from "../src/state";
import { balance, budget, unlimited } from "./balances";

function view(held: Balance | null, changes: Partial<View> = {}): View {
  return {
    page: "key",
    name: "",
    account: null,
    hasAccount: false,
    profiles: new Map(),
    profileCount: 1,
    dueAt: null,
    held: held === null ? null : hold(held, 0, 0),
    problem: null,
    rate: null,
    runaway: null,
    events: [],
    unreachable: null,
    isLoginNeeded: false,
    isRefreshing: false,
    ...changes,
  };
}

const icon = (of: View) => iconOf(ringOf(of.held?.balance ?? null, isOld(of)));

describe("a screen reader announces", () => {
  const before = view(balance());

  it("the amount when it is first known, and when it changes", () => {
    expect(whatChanged(view(null), before)).toBe("$158.61 can be spent.");
    expect(whatChanged(before, view(balance({ spendable: 150 })))).toBe("$150.00 can be spent.");
    expect(whatChanged(before, view(unlimited()))).toContain("no limit on this key");
  });

  it("what another key has left, not that this is a change", () => {
    const other = view(balance({ spendable: 150, level: "low" }), { name: "other" });
    expect(whatChanged(before, other)).toBe("$150.00 can be spent.");
  });

  it("no amount of the many in a table, but what is wrong", () => {
    const table = view(balance(), { page: "table" });
    expect(whatChanged(table, view(balance({ spendable: 150, level: "low" }), { page: "table" }))).toBeNull();
    expect(whatChanged(table, { ...table, unreachable: "gone" })).toBe("This page cannot reach orcredit.");
    expect(whatChanged({ ...table, isRefreshing: true }, table)).toBe("Refreshed.");
  });

  it("nothing when only time has passed", () => {
    expect(whatChanged(before, view(balance({ fetchedAt: "2026-02-12T16:40:47.000Z" })))).toBeNull();
    expect(whatChanged(view(null), view(null))).toBeNull();
  });

  it("a change of the level", () => {
    expect(whatChanged(before, view(balance({ level: "low" })))).toBe("The level is low now, it was ok.");
  });

  it("only once that OpenRouter does not answer, and that it does again", () => {
    const stale = view(balance({ stale: true, staleReason: "It took too long." }));
    expect(whatChanged(before, stale)).toBe("OpenRouter does not answer: It took too long.");
    expect(whatChanged(stale, view(balance({ stale: true, staleReason: "It took too long." })))).toBeNull();
    expect(whatChanged(stale, before)).toBe("The numbers are current again.");
  });

  it("only once that the server cannot be reached", () => {
    const away = view(balance(), { unreachable: "gone" });
    expect(whatChanged(before, away)).toBe("This page cannot reach orcredit.");
    expect(whatChanged(away, { ...away })).toBeNull();
    expect(whatChanged(away, before)).toBe("The numbers are current again.");
  });

  it("that a refresh is done, though nothing changed", () => {
    expect(whatChanged(view(balance(), { isRefreshing: true }), before)).toBe("Refreshed.");
    const stale = balance({ stale: true });
    expect(whatChanged(view(stale, { isRefreshing: true }), view(stale))).toBeNull();
  });

  it("login and logout", () => {
    expect(whatChanged(before, view(null, { isLoginNeeded: true }))).toBe("A login is needed.");
  });
});

describe("the tab", () => {
  it("is named for the amount", () => {
    expect(title(view(balance()))).toBe("$158.61 · 31.7% · orcredit");
    expect(title(view(unlimited()))).toBe("no limit on this key · orcredit");
    expect(title(view(null))).toBe("orcredit");
    expect(title(view(null, { isLoginNeeded: true }))).toBe("Log in · orcredit");
  });

  it("says that the amount is old", () => {
    expect(title(view(balance({ stale: true })))).toBe("$158.61 · 31.7% (stale) · orcredit");
    expect(title(view(balance(), { unreachable: "gone" }))).toBe("$158.61 · 31.7% (stale) · orcredit");
    expect(icon(view(balance({ stale: true })))).not.toBe(icon(view(balance())));
  });

  it("has the level in its icon, and what is left", () => {
    const levels = (["ok", "low"] as const).map((level) => icon(view(balance({ level }))));
    const soon = balance({ pace: { runsOutAt: "2026-02-12T20:00:00Z" } as Pace });
    expect(new Set([...levels, icon(view(soon)), icon(view(unlimited())), icon(view(null))]).size).toBe(5);
    expect(decodeURIComponent(levels[0] as string)).toContain('stroke-dasharray="32 100"');
    const gone = balance({ budgets: [budget({ remaining: -1, percentRemaining: -20 })] });
    expect(icon(view(gone))).not.toContain("dasharray");
  });
});

describe("a login that fails", () => {
  const refused = (status: number, retryAfter: number | null = null) =>
    inWords(new Refusal(status, { error: "The server is busy.", code: "x", hint: "Wait." }, retryAfter));

  it("says what is wrong, and how long to wait", () => {
    expect(refused(401)).toBe("That is not the token.");
    expect(refused(429, 30)).toBe("Too many attempts. Try again in 30 seconds.");
    expect(refused(429, 1)).toBe("Too many attempts. Try again in 1 second.");
    expect(refused(429, 601)).toBe("Too many attempts. Try again in 11 minutes.");
    expect(refused(429)).toBe("Too many attempts. Try again later.");
    expect(refused(500)).toBe("The server is busy. Wait.");
    expect(inWords(new Unreachable("gone"))).toContain("cannot reach orcredit");
  });
});
