// @vitest-environment happy-dom
// The account's page in a simulated document: what it asks for, and what it shows of the answers and without them.

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AccountPage } from "../src/account/page";
import { NOTHING, UNKNOWN, viewOf } from "../src/state";
import { account, accountKey, activity, keyList, onDay, spend } from "./accounts";
import { FETCHED_AT } from "./balances";

type Answer = object | Error | Response;

let root: HTMLElement;
let asked: string[];
let answers: Record<string, Answer>;

const MODELS = activity([spend(9, { model: "large", share: 75 }), spend(3, { model: "small", share: 25, requests: 400 })]);
const DAYS = { since: FETCHED_AT, until: FETCHED_AT, source: null, complete: true, incompleteReason: null, keys: {} };
const problem = (code: string, status: number, hint = "") => Response.json({ error: "It did not work.", code, hint }, { status });

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
  asked = [];
  answers = {
    account: account(),
    keys: keyList([accountKey("night")]),
    "keys/days": DAYS,
    "by=model": MODELS,
    "by=model,day": activity([onDay(11, 9, "large"), onDay(12, 3, "small")], { by: ["model", "day"] }),
  };
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(900);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(270);
  vi.stubGlobal("fetch", (path: string) => {
    const url = new URL(path, "http://localhost");
    asked.push(`${url.pathname.replace("/api/openrouter/", "")}${decodeURIComponent(url.search)}`);
    const by = url.searchParams.get("by");
    const answer = answers[by === null ? url.pathname.replace("/api/openrouter/", "") : `by=${by}`];
    if (answer === undefined || answer instanceof Error) return Promise.reject(answer ?? new Error(path));
    return Promise.resolve(answer instanceof Response ? answer.clone() : Response.json(answer));
  });
});

afterEach(() => {
  render(null, root);
  root.remove();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** The page of the account that a profile's management key sees; `others` have none, but for those that are named "of ...". */
async function draw(name = "", unreachable: string | null = null, others: string[] = []): Promise<void> {
  const profiles = new Map([name, ...others].map((one) => [one, { ...UNKNOWN, hasAccount: one === name || one.startsWith("of ") }]));
  const view = viewOf({ ...NOTHING, profiles, profileCount: profiles.size, unreachable, first: name, route: { page: "account", profile: null } });
  await act(() => render(<AccountPage view={view} header={(left) => left} />, root));
}

const settle = () => act(() => new Promise((resolve) => setTimeout(resolve, 20)));

async function show(name?: string): Promise<void> {
  await draw(name);
  await settle();
  await settle();
}

const stopClocks = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });

/** Lets time pass, and then what follows from it happen. */
async function pass(milliseconds: number): Promise<void> {
  for (const some of [milliseconds, 5, 5]) {
    await act(async () => {
      await vi.advanceTimersByTimeAsync(some);
    });
  }
}

const all = (hook: string) => [...root.querySelectorAll<HTMLElement>(`[data-testid="${hook}"]`)];
const text = (hook: string) => all(hook)[0]?.textContent ?? null;
const press = async (element: Element | null | undefined) => {
  await act(() => (element as HTMLElement).click());
  await settle();
};
const legend = () => [...root.querySelectorAll(".account-legend button")];

describe("the page", () => {
  it("shows nothing of another account until that one's answer has come", async () => {
    await show("work");
    expect(text("account-credit")).toBe("$74.75");
    vi.stubGlobal("fetch", () => new Promise(() => undefined));
    await show("home");
    expect(text("account-credit")).toBeNull();
    expect(text("account-loading")).toContain("Asking OpenRouter");
  });

  it("offers the other profiles that have an account", async () => {
    await draw("", null, ["home", "of work"]);
    expect(root.querySelector("h1")?.textContent).toBe("Account from the environment");
    const list = all("profile")[0] as HTMLSelectElement;
    expect([...list.options].map((one) => one.textContent)).toEqual(["from the environment", "of work"]);
    list.value = "of work";
    await act(() => void list.dispatchEvent(new Event("change")));
    expect(location.hash).toBe("#/account/of%20work");
    await draw("", null, ["home"]);
    expect(all("profile")).toHaveLength(0);
  });

  it("asks for everything once, of the profile", async () => {
    await show("my work");
    expect([...asked].sort()).toEqual([
      "account?profile=my+work",
      "activity?by=model&since=30d&top=100&profile=my+work",
      "activity?by=model&since=30d&top=100&profile=my+work",
      "activity?by=model,day&since=30d&profile=my+work",
      "keys/days?profile=my+work",
      "keys?profile=my+work",
    ]);
  });

  it("shows credit, spend, models and keys", async () => {
    await show();
    expect(text("account-credit")).toBe("$74.75");
    expect(text("account-spent")).toBe("$16.28");
    expect(root.querySelectorAll(".stack path")).toHaveLength(2);
    expect(legend().map((one) => one.textContent)).toEqual(["large$9.00", "small$3.00"]);
    const label = root.querySelector("[role=img]")?.getAttribute("aria-labelledby") ?? "";
    expect(document.getElementById(label)?.textContent).toBe("$12.00 spent, by model: large $9.00, small $3.00.");
    expect(all("key-row")).toHaveLength(1);
  });

  it("says what the credit is not known for", async () => {
    answers.account = account({ credit: { ...account().credit, credit: null, creditError: "It did not answer.", pace: null } });
    await show();
    expect(text("account-credit")).toBe("not known");
    expect(root.querySelector(".strip")?.textContent).toContain("It did not answer.");
  });

  it("says in the place of everything what key is missing, and where one is made", async () => {
    answers.account = problem("management_key_required", 403, "Make one at https://openrouter.ai/settings/management-keys.");
    await show();
    expect(document.title).toBe("Account · orcredit");
    expect(text("account-problem")).toContain("It did not work.");
    expect(root.querySelector("main a")?.getAttribute("href")).toBe("https://openrouter.ai/settings/management-keys");
    expect(root.querySelector("main button")).toBeNull();
    expect(asked).toHaveLength(1);
  });

  it("waits for the server's first answer, and asks again soon", async () => {
    stopClocks();
    answers.account = problem("starting", 503);
    await draw();
    await pass(0);
    expect(text("account-loading")).toContain("Asking OpenRouter");
    answers.account = account();
    await pass(3100);
    expect(text("account-credit")).toBe("$74.75");
  });

  it("asks again when the server has asked, not while the tab is hidden", async () => {
    stopClocks();
    const times = () => asked.filter((path) => path === "account?profile=").length;
    await draw();
    await pass(0);
    expect(times()).toBe(1);
    await pass(61_100);
    expect(times()).toBe(2);
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    await pass(200_000);
    expect(times()).toBe(2);
    hidden.mockReturnValue(false);
    await act(() => void document.dispatchEvent(new Event("visibilitychange")));
    await pass(10);
    expect(times()).toBe(3);
  });

  it("keeps what it knows, in grey, while the server does not answer", async () => {
    stopClocks();
    await draw();
    await pass(0);
    answers.account = new Error("gone");
    await pass(62_000);
    expect(text("account-problem")).toMatch(/^orcredit cannot be reached\. .*The numbers are from 17:39:47/);
    expect(text("account-credit")).toBe("$74.75");
    expect(all("account")[0]?.className).toContain("old");
  });

  it("says that the numbers are old, and why", async () => {
    answers.account = account({ stale: true, staleReason: "It timed out.", age: 180 });
    await show();
    expect(text("account-stale")).toBe("OpenRouter has not answered: It timed out. The numbers are from 17:39:47, 3 minutes ago.");
  });

  it("is grey at once where the page's stream ends, which is said below every page", async () => {
    await show();
    await draw("", "it does not answer");
    expect(all("account")[0]?.className).toContain("old");
    expect(root.querySelector(".notices")).toBeNull();
    expect(document.title).toBe("$74.75 · Account (stale) · orcredit");
  });

  it("says that some keys are missing, and that there are none", async () => {
    answers.account = account({ complete: false, incompleteReason: "It answered 503." });
    answers.keys = keyList([accountKey("night")], { complete: false, incompleteReason: "It answered 503." });
    await show();
    expect(text("account-incomplete")).toBe("1 key so far; others are missing: It answered 503.");
    expect(root.querySelector(".strip")?.previousElementSibling).toBe(all("account-incomplete")[0]);
    expect(root.querySelector(".strip")?.textContent).toContain("of the 1 key known so far");
    expect(root.querySelector(".key-table h2")?.textContent).toBe("At least 1 key:");
    render(null, root);
    answers.keys = keyList([]);
    await show();
    expect(text("account-keys")).toContain("This account has no keys.");
  });
});

describe("spend per day", () => {
  it("is by key when that is asked for", async () => {
    answers["by=key"] = activity([spend(12, { key: "<b>night</b>" })], { by: ["key"] });
    answers["by=key,day"] = activity([spend(12, { key: "<b>night</b>", start: "2026-02-11T00:00:00.000Z" })], { by: ["key", "day"] });
    await show();
    await press(all("account-by-key")[0]);
    expect(legend().map((one) => one.textContent)).toEqual(["<b>night</b>$12.00"]);
    expect(all("account-by-key")[0]?.getAttribute("aria-pressed")).toBe("true");
  });

  it("asks for no more than 31 days by provider", async () => {
    answers["by=provider"] = activity([]);
    answers["by=provider,day"] = activity([]);
    await show();
    await press(all("account-range-90")[0]);
    await press(all("account-by-provider")[0]);
    expect(asked).toContain("activity?by=provider,day&since=30d&profile=");
    const before = asked.length;
    await press(all("account-range-90")[0]);
    expect(asked).toHaveLength(before);
    expect(all("account-range-90")[0]?.title).toContain("31 days");
    expect(all("account-chart")[0]?.textContent).toContain("Nothing was spent in this time.");
  });

  it("hides a part when its name is pressed, and highlights it under the pointer", async () => {
    await show();
    await press(legend()[0]);
    expect(legend()[0]?.getAttribute("aria-pressed")).toBe("false");
    expect([...root.querySelectorAll(".stack path")].map((path) => path.getAttribute("d") !== "")).toEqual([false, true]);
    await act(() => void legend()[1]?.dispatchEvent(new Event("mouseenter")));
    expect([...root.querySelectorAll(".stack path")].map((path) => path.getAttribute("class"))).toEqual(["", "lit"]);
  });

  it("is walked by arrow keys", async () => {
    await show();
    const slider = root.querySelector<HTMLElement>("[role=slider]");
    await act(() => void slider?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true })));
    expect(slider?.getAttribute("aria-valuetext")).toBe("Wed 11 Feb (UTC), $9.00 spent, $9.00 large");
    expect(text("point-tooltip")).toContain("$9.00 large");
  });

  it("is a table, too, which says what of a day is counted", async () => {
    await show();
    const details = all("account-chart-table")[0] as HTMLDetailsElement;
    details.open = true;
    await act(() => void details.dispatchEvent(new Event("toggle")));
    const rows = [...details.querySelectorAll("tr")].map((row) => [...row.children].map((cell) => cell.textContent));
    expect(rows).toEqual([
      ["Day", "large", "small"],
      ["Thu 12 Feb (UTC), through 17:39", "$0.00", "$3.00"],
      ["Wed 11 Feb (UTC)", "$9.00", "$0.00"],
      ["Tue 10 Feb (UTC), from 17:39", "$0.00", "$0.00"],
    ]);
  });

  it("asks for the days where parts are missing, and says what is missing", async () => {
    answers["by=model,day"] = activity([onDay(11, 9, "large")], { by: ["model", "day"], others: spend(3), truncated: true, notes: ["OpenRouter warns: slow."] });
    answers["by=day"] = activity([spend(12, { start: "2026-02-11T00:00:00.000Z" })], { by: ["day"] });
    await show();
    expect(asked).toContain("activity?by=day&since=30d&profile=");
    expect(all("account-chart-note").map((one) => one.textContent)).toEqual([
      "OpenRouter warns: slow.",
      "OpenRouter left out the smallest amounts (truncated): they are among the others.",
    ]);
  });

  it("says why there is none, and tries again", async () => {
    answers["by=model,day"] = problem("unreachable", 502, "Try again later.");
    await show();
    const failed = all("account-chart")[0]?.querySelector("[data-testid=account-problem]");
    expect(failed?.textContent).toContain("It did not work. Try again later.");
    answers["by=model,day"] = activity([onDay(11, 9, "large")], { by: ["model", "day"] });
    await press(failed?.querySelector("button"));
    expect(root.querySelectorAll(".stack path")).toHaveLength(2);
  });
});

describe("the table of models", () => {
  const rows = () => [...root.querySelectorAll(".account-models tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
  const heading = (name: string) => [...root.querySelectorAll(".account-models thead button")].find((one) => one.textContent?.startsWith(name));

  it("has what each model costs", async () => {
    await show();
    expect(rows()[0]).toEqual(["large", "$9.00", "75.0%", "10", "1.2K", "$2.50", "$0.0100"]);
  });

  it("is sorted by any column, the other way round when pressed again", async () => {
    await show();
    await press(heading("Requests"));
    expect(rows().map(([name]) => name)).toEqual(["small", "large"]);
    await press(heading("Requests"));
    expect(rows().map(([name]) => name)).toEqual(["large", "small"]);
    await press(heading("Model"));
    expect(root.querySelector(".account-models [aria-sort]")?.getAttribute("aria-sort")).toBe("ascending");
  });

  it("shows few of many at first", async () => {
    answers["by=model"] = activity(Array.from({ length: 30 }, (_, index) => spend(30 - index, { model: `m${index}` })), { others: spend(2) });
    await show();
    expect(rows()).toHaveLength(5);
    await press(all("account-all-models")[0]);
    expect(rows()).toHaveLength(31);
    expect(rows().at(-1)?.[0]).toBe("others");
  });
});
