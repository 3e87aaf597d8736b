// @vitest-environment happy-dom
// The page in a simulated document: which parts are there for which account.

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refusal } from "../src/api";
import { App } from "../src/app";
import type { Balance, Pace } from "../src/generated";
import { Header } from "../src/header";
import { NOTHING, UNKNOWN, viewOf } from "../src/state";
import { Feed } from "../src/stream";
import { balance, budget, envelope, unlimited } from "./balances";

vi.mock("../src/theme", () => ({ chosen: () => "system", choose: () => undefined }));
vi.mock("../src/chart/panel", () => ({ HistoryPanel: () => <h2>Left and spent</h2> }));

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network in tests")));
});

afterEach(() => {
  render(null, root);
  root.remove();
  vi.unstubAllGlobals();
});

/** The page after the first answer; `ageInSeconds` is what the server said of it. */
async function show(first: Balance | Error, ageInSeconds = 0): Promise<void> {
  const feed = new Feed({
    openStream: () => ({ readyState: 0, onopen: null, onmessage: null, onerror: null, close() {} }),
    fetchSnapshot: () =>
      first instanceof Error ? Promise.reject(first) : Promise.resolve(envelope(first, { age: ageInSeconds })),
    refresh: () => new Promise(() => undefined),
    now: () => Date.now(),
    after: () => () => undefined,
    fetchProfiles: () => Promise.reject(new Error("one profile is not asked about as several")),
    beforeDrawing: (act) => act(),
  });
  await act(async () => {
    render(<App feed={feed} />, root);
    await feed.start(false);
  });
  // What is loaded after the first draw.
  await act(() => vi.dynamicImportSettled());
}

const find = (name: string) => root.querySelector<HTMLElement>(`[data-testid="${name}"]`);
const text = (name: string) => find(name)?.textContent ?? null;

describe("a key with a limit", () => {
  it("shows what can be spent, what limits it, and the limit itself", async () => {
    await show(balance());
    expect(text("amount")).toBe("$158.61");
    expect(text("level")).toBe("ok");
    expect(text("limited-by")).toBe("limited by the key limit");
    expect([text("limit"), text("used"), text("percent")]).toEqual(["$500.00", "$341.39", "31.7%"]);
    expect(text("resets")).toBe("resets monthly, in 16 d 7 h · Sun 1 Mar, 01:00 CET");
    expect(find("bar")?.getAttribute("aria-valuetext")).toBe("$158.61 of $500.00 left, 31.7%");
    expect(find("bar")?.dataset["colour"]).toBe("yellow");
    expect(find("budget-key_limit")).not.toBeNull();
    expect(find("warning")).toBeNull();
  });

  it("shows what was used of this period, not of all time", async () => {
    await show(balance({ usage: 4000, budgets: [budget({ limit: 50, spent: 30, remaining: 20, percentRemaining: 40 })] }));
    expect(text("legend-used")).toContain("$30.00");
    expect(text("usage-all-time")).toBe("$4,000.00");
  });

  it("shows what is overspent as such, and a bar that is empty", async () => {
    const over = { remaining: -0.25, percentRemaining: -0.3 };
    await show(balance({ ...over, spendable: 0, level: "exhausted", refusedUntil: "2026-03-01T00:00:00.000Z", budgets: [budget(over)] }));
    expect(text("remaining")).toBe("$0.25");
    expect(root.textContent).toContain("overspent");
    expect(text("budget-key_limit")).toContain("-$0.25");
    expect([text("refused-until"), text("verdict")]).toEqual(["1 March", "▲Refused until 1 March"]);
    expect(find("bar")?.getAttribute("aria-valuenow")).toBe("0");
    expect(text("legend-remaining")).toContain("-$0.25");
    expect(text("warning")).toContain("Requests are refused until");
  });

  it("toggles the donut's parts", async () => {
    await show(balance());
    const used = find("legend-used");
    expect(used?.getAttribute("aria-pressed")).toBe("true");
    await act(() => used?.click());
    expect(find("legend-used")?.getAttribute("aria-pressed")).toBe("false");
    expect(find("legend-remaining")?.getAttribute("aria-pressed")).toBe("true");
  });
});

describe("several budgets", () => {
  it("are all shown, whatever they are called, as text", async () => {
    const strange = budget({ scope: "<b>galaxy</b>_budget", resetPeriod: "lunar", resetsAt: null });
    const account = { totalCredits: 100, totalUsage: 99.87, remaining: 0.13, source: "key" as const, runsOutAt: null, isUpperBound: false };
    await show(balance({ budgets: [strange, budget()], account, limitedBy: "account_credit", spendable: 0.13 }));
    expect(text("budget-<b>galaxy</b>_budget")).toContain("<b>galaxy</b> budget");
    expect(text("budget-<b>galaxy</b>_budget")).toContain("lunar (when is not known)");
    expect(text("budget-account_credit")).toContain("$0.13prepaid$99.87 of $100.00 ever bought");
    expect(root.querySelectorAll('[data-testid="budget-key_limit"]')).toHaveLength(1);
    expect(root.querySelector("b")).toBeNull();
  });
});

describe("a key without a limit", () => {
  it("has no bar and no donut, and says that the account is not known", async () => {
    await show(unlimited());
    expect(text("amount")).toBe("no limit on this key");
    expect(find("limited-by")).toBeNull();
    expect(text("account-note")).toContain("OPENROUTER_MANAGEMENT_KEY");
    expect(find("bar")).toBeNull();
    expect(find("donut")).toBeNull();
  });
});

describe("what is not known", () => {
  it("is never $0", async () => {
    await show(balance({ usage: null, usageDaily: null, usageWeekly: null, usageMonthly: null }));
    for (const period of ["daily", "weekly", "monthly", "all-time"]) expect(text(`usage-${period}`)).toBe("–");
    expect(root.textContent).not.toContain("NaN");
  });
});

describe("spend beside the key's own", () => {
  const byok = { usage: 3, usageDaily: 0, usageWeekly: null, usageMonthly: 3, includedInLimit: true };

  it("is shown where there is any", async () => {
    await show(balance({ byok, freeRequests: { used: 12, limit: 50, remaining: 38 } }));
    expect(text("byok-daily")).toBe("$0.00");
    expect(text("byok-weekly")).toBe("–");
    expect(text("byok")).toContain("counts against the key limit.");
    expect(text("free-requests")).toContain("12 of 50 requests today (UTC) · 38 left");
  });

  it("is left out where there is none", async () => {
    const none = { usage: 0, usageDaily: 0, usageWeekly: 0, usageMonthly: null, includedInLimit: false };
    await show(balance({ byok: none, freeRequests: { used: 0, limit: 50, remaining: 50 } }));
    expect(find("byok")).toBeNull();
    expect(find("free-requests")).toBeNull();
  });
});

describe("the pace", () => {
  const pace: Pace = {
    perDay: 92.41,
    basis: "week",
    scope: "key_limit",
    runsOutAt: "2026-02-14T09:51:21.000Z",
    runsOutEarliest: "2026-02-13T21:46:47.000Z",
    runsOutLatest: "2026-02-14T09:51:21.000Z",
    isUpperBound: false,
    projectedAtReset: 1848.2,
    projectedAtResetLow: 1848.2,
    projectedAtResetHigh: 2511.4,
    lastsUntilReset: false,
    affordablePerDay: 9.74,
    evenPercentRemaining: 58.2,
  };

  const cell = () => find("runs-out")?.parentElement?.textContent ?? "";

  it("says when the money runs out", async () => {
    await show(balance({ pace, budgets: [budget({ runsOutAt: pace.runsOutAt })] }));
    expect(text("per-day")).toBe("$92.41 a day");
    expect(text("runs-out")).toBe("in 1 d 17 h");
    expect(cell()).toContain("Sat 14 Feb, 10:51 CET");
    expect(cell()).toContain("then nothing for 15 days, until the reset");
    expect(text("affordable")).toBe("to last until the reset: at most $9.74 a day");
    expect(text("even-pace")).toContain("even pace: 58% left");
    expect(text("verdict")).toBe("▲Runs out 15 days before the reset");
  });

  it("says that the credit runs out at the latest then, unless topped up", async () => {
    const ofCredit = { scope: "account_credit", isUpperBound: true, runsOutEarliest: null, runsOutLatest: null };
    const ends = { projectedAtReset: null, lastsUntilReset: null, affordablePerDay: null };
    const known = { runsOutAt: pace.runsOutAt, isUpperBound: true };
    const account = { totalCredits: 100, totalUsage: 99.87, remaining: 0.13, source: "key" as const, ...known };
    await show(balance({ pace: { ...pace, ...ofCredit, ...ends }, account, limitedBy: "account_credit" }));
    expect(text("per-day")).toBe("$92.41 a day");
    expect(root.textContent).toContain("by this key, by this week (UTC)");
    expect(text("runs-out")).toBe("in 1 d 17 h at the latest");
    expect(cell()).toContain("unless topped up");
    expect(find("affordable")).toBeNull();
    expect(text("budget-account_credit")).toContain("in 1 d 17 h at the latest");
  });

  it("says that it lasts", async () => {
    const lasts = { runsOutAt: null, runsOutEarliest: null, runsOutLatest: null, lastsUntilReset: true };
    await show(balance({ pace: { ...pace, ...lasts, projectedAtReset: 400 } }));
    expect(text("lasts")).toBe("until 1 March");
    expect(find("lasts")?.parentElement?.textContent).toContain("with $400.00 of $500.00 spent by then");
    expect(find("runs-out")).toBeNull();
  });
});

describe("the order of limits", () => {
  it("is that in which they run out, the credit last", async () => {
    const first = budget({ scope: "workspace", isLimiting: false, runsOutAt: "2026-02-13T00:00:00.000Z" });
    const account = { totalCredits: 100, totalUsage: 50, remaining: 50, source: "key" as const, runsOutAt: null, isUpperBound: true };
    await show(balance({ budgets: [budget(), first], account }));
    const rows = [...root.querySelectorAll("[data-testid^=budget-]")].map((row) => row.getAttribute("data-testid"));
    expect(rows).toEqual(["budget-workspace", "budget-key_limit", "budget-account_credit"]);
  });
});

describe("old numbers", () => {
  it("come with their age and the reason", async () => {
    await show(balance({ stale: true, staleReason: "OpenRouter took too long." }), 185);
    expect(text("stale")).toMatch(
      /^OpenRouter has not answered for 3 minutes: OpenRouter took too long\. The numbers are from 17:39:47\. Next try in \S+ \S+\.$/,
    );
    expect(text("verdict")).toBe("▲OpenRouter does not answer");
    expect(root.querySelector("main")?.className).toBe("old");
    expect(text("updated")).toContain("Updated 17:39:47 CET · 3 min ago");
  });
});

describe("without numbers", () => {
  const refusal = (status: number, code: string) => new Refusal(status, { error: "It went wrong.", code, hint: "Do this." });

  it("says what is wrong and what to do", async () => {
    await show(refusal(502, "refused"));
    expect(text("problem")).toContain("It went wrong.Do this.");
    expect(find("problem")?.querySelector("a")?.href).toBe("https://openrouter.ai/settings/keys");
    expect(find("amount")).toBeNull();
  });

  it("says that it has begun to ask", async () => {
    await show(refusal(503, "starting"));
    expect(text("loading")).toContain("Asking OpenRouter…");
    expect(find("problem")).toBeNull();
  });

  it("asks for the token", async () => {
    await show(refusal(401, "unauthorized"));
    expect(find("login")).not.toBeNull();
    expect(find("refresh")).toBeNull();
    expect(root.querySelector("input[type=password]")).not.toBeNull();
  });
});

describe("the way to the account", () => {
  const link = async (...accounts: string[]) => {
    const names = ["shop", ...accounts];
    const profiles = new Map(names.map((name) => [name, { ...UNKNOWN, hasAccount: name !== "shop" }]));
    const view = viewOf({ ...NOTHING, profiles, profileCount: names.length, isListed: true, first: "shop", route: { page: "home", profile: null } });
    await act(() => render(<Header view={view} onRefresh={null} onLogOut={null} />, root));
    return text("account-link");
  };

  it("says whose it is where several profiles have one", async () => {
    expect(await link("home", "work")).toBe("Account of home");
    expect(await link("", "work")).toBe("Account from the environment");
    expect(await link("home")).toBe("Account");
    expect(await link()).toBeNull();
  });
});
