// @vitest-environment happy-dom
// The card in a simulated document: its states, its words and its table.

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HistoryPanel } from "../src/chart/panel";
import { hold } from "../src/clock";
import type { Balance, HistoryDocument } from "../src/generated";
import { balance } from "./balances";
import { history, pace, point, spend } from "./histories";

let root: HTMLElement;
let asked: string[];
let profiles = 0;

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
  asked = [];
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(900);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(350);
});

afterEach(() => {
  render(null, root);
  root.remove();
  vi.unstubAllGlobals();
});

/** The card after the server's answer; each has another profile, so that it does not see another's history. */
async function show(answer: HistoryDocument | Response, changes: Partial<Balance> = {}, isWall = false): Promise<void> {
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    return Promise.resolve(answer instanceof Response ? answer : Response.json(answer));
  });
  profiles += 1;
  const held = hold(balance({ pace: pace(), profile: `test-${profiles}`, ...changes }), 0, Date.now());
  await act(async () => {
    render(<HistoryPanel held={held} isOld={false} isWall={isWall} />, root);
    await new Promise((resolve) => setTimeout(resolve));
  });
  await act(() => new Promise((resolve) => setTimeout(resolve, 10)));
}

const find = (name: string) => root.querySelector<HTMLElement>(`[data-testid="${name}"]`);
const text = (name: string) => find(name)?.textContent ?? null;

const SEEN = history({
  points: [point("2026-02-09T12:00:00", 500), point("2026-02-12T16:00:00", 160)],
  spend: [
    spend("2026-02-10T00:00:00", "2026-02-11T00:00:00", 4, { estimated: true }),
    spend("2026-02-11T00:00:00", "2026-02-12T00:00:00", 6, { partial: true }),
  ],
});

describe("the card", () => {
  it("draws the chart, and says it in a sentence", async () => {
    await show(SEEN);
    const chart = find("history-chart");
    expect(chart?.getAttribute("role")).toBe("img");
    expect(document.getElementById(chart?.getAttribute("aria-labelledby") ?? "")).toBe(find("history-words"));
    expect(text("history-words")).toMatch(/^Left fell from \$500\.00 on 9 February to \$158\.61 now; it is forecast/);
    expect(chart?.querySelectorAll(".chart-bar")).toHaveLength(2);
    expect(find("history-note")).toBeNull();
  });

  it("asks for the range that is chosen", async () => {
    await show(SEEN);
    expect(find("range-30d")?.getAttribute("aria-pressed")).toBe("true");
    await act(async () => {
      find("range-24h")?.click();
      await new Promise((resolve) => setTimeout(resolve));
    });
    expect(asked.map((path) => new URL(path, "http://localhost").searchParams.get("since"))).toEqual(["30d", "24h"]);
    expect(find("csv")?.getAttribute("href")).toBe("/api/openrouter/history.csv?since=24h&profile=test-2");
  });

  it("has its numbers as tables, the newest first", async () => {
    await show(SEEN);
    const details = find("history-table") as HTMLDetailsElement;
    expect(details.querySelector("table")).toBeNull();
    await act(async () => {
      details.open = true;
      details.dispatchEvent(new Event("toggle"));
    });
    const cells = [...details.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
    expect(cells).toEqual([
      ["Thu 12 Feb, 17:00 CET", "$160.00"],
      ["Mon 9 Feb, 13:00 CET", "$500.00"],
      ["Wed 11 Feb 2026 (UTC)", "at least $6.00"],
      ["Tue 10 Feb 2026 (UTC)", "~$4.00"],
    ]);
  });

  it("is walked by arrow keys, which say what they stop at", async () => {
    await show(SEEN);
    const slider = root.querySelector<HTMLElement>('[role="slider"]');
    const press = (key: string) =>
      act(() => void slider?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })));
    await press("Home");
    expect(slider?.getAttribute("aria-valuetext")).toBe("Mon 9 Feb, 13:00 CET, $500.00 left");
    expect(text("point-tooltip")).toBe("Mon 9 Feb, 13:00 CET$500.00 left");
    await press("ArrowRight");
    expect(slider?.getAttribute("aria-valuetext")).toBe("Tue 10 Feb 2026 (UTC), ~$4.00 spent");
    await press("End");
    expect(slider?.getAttribute("aria-valuenow")).toBe(slider?.getAttribute("aria-valuemax"));
    await press("Escape");
    expect(find("point-tooltip")).toBeNull();
  });

  it("names only what is drawn", async () => {
    await show(SEEN);
    const names = [...root.querySelectorAll(".chart-legend li")].map((item) => item.textContent);
    expect(names).toEqual(["seen", "forecast, fastest to slowest", "estimated", "reset"]);
  });

  it("keeps its axes without a history, and says why", async () => {
    await show(history());
    expect(text("history-note")).toBe("No history of this key yet: it grows while orcredit runs.");
    expect(find("history-chart")).not.toBeNull();
    expect(find("history-table")).toBeNull();
    const problem = { error: "No history is kept.", code: "no_history", hint: "" };
    await show(Response.json(problem, { status: 404 }));
    expect(text("history-note")).toContain("--no-history");
    expect(find("history-chart")).not.toBeNull();
  });

  it("says since when the sum was spent, at the earliest since the key was watched", async () => {
    await show(SEEN);
    expect(root.querySelector(".chart-facts")?.textContent).toBe("at least about $10.00 spent since 9 Feb");
    await show({ ...SEEN, since: "2026-02-10T00:00:00.000Z" });
    expect(root.querySelector(".chart-facts")?.textContent).toContain("spent since 10 Feb");
    const reported = SEEN.spend.map((one) => ({ ...one, reported: true }));
    await show({ ...SEEN, since: "2025-11-03T00:00:00.000Z", spend: reported });
    expect(root.querySelector(".chart-facts")?.textContent).toContain("spent since 3 Nov");
  });

  it("does not take what was not watched for zero", async () => {
    const { recent } = history();
    await show({ ...SEEN, recent: { ...recent, lastHour: 0, lastHourSince: "2026-02-12T16:02:00Z" } });
    expect(text("recent-hour")).toBe("since Thu 12 Feb, 17:02 CET: $0.00");
    expect(text("recent-day")).toBe("–");
    expect(find("recent-account")).toBeNull();
  });

  it("says once what was spent of a key that is watched for less than an hour, and what was before", async () => {
    const since = "2026-02-12T16:02:00Z";
    const young = { lastHour: 0, lastHourSince: since, lastDay: 0, lastDaySince: since, lastWeek: 0, lastWeekSince: since };
    const today = { counted: 3.15, seen: 0 };
    const recent = { ...history().recent, ...young, today, thisWeek: today, thisMonth: { counted: 48.75, seen: 0 } };
    await show({ ...SEEN, recent });
    expect(root.querySelector(".chart-facts")).toBeNull();
    expect(text("recent-week")).toBe("since Thu 12 Feb, 17:02 CET: $0.00");
    expect(text("recent-unseen")).toBe("OpenRouter counts $3.15 more today, $48.75 more this month than was seen.");
  });

  it("on a wall shows this period, without controls", async () => {
    await show(SEEN, {}, true);
    expect(asked[0]).toContain("since=period");
    expect(root.querySelector("button, a, details")).toBeNull();
    expect(find("history-chart")).not.toBeNull();
  });
});
