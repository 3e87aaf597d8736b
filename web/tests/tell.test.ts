// What is said in a sentence, in the tab and in its icon.

import { describe, expect, it } from "vitest";
import { whatChanged } from "../src/announce";
import { Refusal, Unreachable } from "../src/api";
import { hold } from "../src/clock";
import type { Balance } from "../src/generated";
import { icon, title } from "../src/icon";
import { inWords } from "../src/login";
import type { Known } from "../src/stream";
import { balance, budget, unlimited } from "./balances";

function known(held: Balance | null, changes: Partial<Known> = {}): Known {
  return {
    held: held === null ? null : hold(held, 0, 0, null),
    problem: null,
    unreachable: null,
    isLoginNeeded: false,
    isRefreshing: false,
    ...changes,
  };
}

describe("a screen reader is told", () => {
  const before = known(balance());

  it("the amount when it is first known, and when it changes", () => {
    expect(whatChanged(known(null), before)).toBe("$158.61 can be spent.");
    expect(whatChanged(before, known(balance({ spendable: 150 })))).toBe("$150.00 can be spent.");
    expect(whatChanged(before, known(unlimited()))).toContain("unlimited");
  });

  it("nothing when only the clock moved on", () => {
    expect(whatChanged(before, known(balance({ fetchedAt: "2026-02-12T16:40:47.000Z" })))).toBeNull();
    expect(whatChanged(known(null), known(null))).toBeNull();
  });

  it("of the level", () => {
    expect(whatChanged(before, known(balance({ level: "low" })))).toBe("The level is low now, it was ok.");
  });

  it("once that OpenRouter does not answer, and that it does again", () => {
    const stale = known(balance({ stale: true, staleReason: "It took too long." }));
    expect(whatChanged(before, stale)).toBe("OpenRouter does not answer: It took too long.");
    expect(whatChanged(stale, known(balance({ stale: true, staleReason: "It took too long." })))).toBeNull();
    expect(whatChanged(stale, before)).toBe("The numbers are current again.");
  });

  it("once that the server cannot be reached", () => {
    const away = known(balance(), { unreachable: "gone" });
    expect(whatChanged(before, away)).toBe("This page cannot reach orcredit.");
    expect(whatChanged(away, { ...away })).toBeNull();
    expect(whatChanged(away, before)).toBe("The numbers are current again.");
  });

  it("that a refresh is done, though nothing changed", () => {
    expect(whatChanged(known(balance(), { isRefreshing: true }), before)).toBe("Refreshed.");
    const stale = balance({ stale: true });
    expect(whatChanged(known(stale, { isRefreshing: true }), known(stale))).toBeNull();
  });

  it("of log-in and log-out", () => {
    expect(whatChanged(before, known(null, { isLoginNeeded: true }))).toBe("A log-in is needed.");
  });
});

describe("the tab", () => {
  it("is named for the amount", () => {
    expect(title(known(balance()))).toBe("$158.61 · orcredit");
    expect(title(known(unlimited()))).toBe("unlimited · orcredit");
    expect(title(known(null))).toBe("orcredit");
    expect(title(known(null, { isLoginNeeded: true }))).toBe("Log in · orcredit");
  });

  it("tells that the amount is old", () => {
    expect(title(known(balance({ stale: true })))).toBe("$158.61 (stale) · orcredit");
    expect(title(known(balance(), { unreachable: "gone" }))).toBe("$158.61 (stale) · orcredit");
  });

  it("has the level in its icon, and what is left", () => {
    const levels = (["ok", "low", "exhausted"] as const).map((level) => icon(known(balance({ level }))));
    expect(new Set([...levels, icon(known(unlimited())), icon(known(null))]).size).toBe(5);
    expect(decodeURIComponent(levels[0] as string)).toContain('stroke-dasharray="32 100"');
    const gone = balance({ totalLimit: 5, remaining: -1, percentRemaining: -20, budgets: [budget()] });
    expect(icon(known(gone))).not.toContain("dasharray");
  });
});

describe("a log-in that fails", () => {
  const refused = (status: number, retryAfter: number | null = null) =>
    inWords(new Refusal(status, { error: "The server is busy.", code: "x", hint: "Wait." }, retryAfter));

  it("says what is wrong, and how long to wait", () => {
    expect(refused(401)).toBe("That is not the token.");
    expect(refused(429, 30)).toBe("Too many tries. Try again in 30 seconds.");
    expect(refused(429, 1)).toBe("Too many tries. Try again in 1 second.");
    expect(refused(429, 601)).toBe("Too many tries. Try again in 11 minutes.");
    expect(refused(429)).toBe("Too many tries. Try again later.");
    expect(refused(500)).toBe("The server is busy. Wait.");
    expect(inWords(new Unreachable("gone"))).toContain("cannot reach orcredit");
  });
});
