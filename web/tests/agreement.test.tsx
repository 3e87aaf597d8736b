// @vitest-environment happy-dom
// The page and `orcredit status` say the same of every document in agreement.json, which tests/test_agreement.py writes
// from what the terminal prints.

import { readFileSync } from "node:fs";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "../src/app";
import { instant, openEnded, percent, resets, usd } from "../src/format";
import type { Account, Balance, Budget, Rate, Runaway } from "../src/generated";
import * as limitWords from "../src/limit-words";
import { Feed } from "../src/stream";
import * as words from "../src/words";
import { envelope } from "./balances";

/** What the terminal says; null where it has no such row. */
interface Said {
  amount: string;
  notices: [string, string][];
  gauge: [string, string] | null;
  resets: string | null;
  limits: string[][];
  pace: string | null;
  runsOut: string[] | null;
  lasts: string[] | null;
  toLast: string | null;
  creditNotKnown: string | null;
  needsAttention: boolean;
  /** Seconds after the answer, text and tone. */
  verdicts: [number, string, string][];
  rate: string | null;
  runaway: string | null;
}

interface Case {
  name: string;
  balance: Balance;
  rate: Rate | null;
  runaway: Runaway | null;
  said: Said;
}

const CASES = JSON.parse(readFileSync("tests/agreement.json", "utf8")) as Case[];

const TERMINAL_INSTANT = /\w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d) [A-Z]+/g;

/** The terminal's text with its instants written as the page does. */
function asOnThePage(text: string, now: number): string {
  return text.replace(TERMINAL_INSTANT, (_, day: string, time: string) => instant(new Date(`${day}T${time}:00`).toISOString(), now));
}

/** When a limit runs out in the terminal's column "until", as the page writes it with whole days from ten days on. */
function fromColumn(until: string): RegExp {
  const lasts = /^lasts (at most )?(.*)$/.exec(until);
  if (lasts !== null) return new RegExp(`^in ${lasts[2]}${lasts[1] === undefined ? "" : " at the latest"}$`);
  if (until === "runs out about now") return /^about now( at the latest)?$/;
  if (until === "not known" || until === "used up") return new RegExp(`^${until}$`);
  return until.startsWith("spent, ") ? /^spent$/ : /^(lasts|not known)$/;
}

function inColumn(runOut: string): string {
  return runOut.replace(/([\d,]+) d \d+ h/, (exact, days: string) => (Number(days.replace(",", "")) >= 10 ? `${days} d` : exact));
}

const TONES: Record<string, string> = { good: "good", warning: "attention", alarm: "bad", plain: "plain" };

describe.each(CASES)("$name", ({ balance, rate, runaway, said }) => {
  const now = Date.parse(balance.fetchedAt);
  const isExpired = balance.key.expiresAt !== null && Date.parse(balance.key.expiresAt) <= now;
  const limiting = words.limitingBudget(balance);

  it("has the same amount, level, and what limits it", () => {
    const level = balance.warningLowBudget ? balance.level.toUpperCase() : balance.level;
    const rest = balance.spendable === null ? "" : ` · ${level} · limited by the ${words.limitedBy(balance)}`;
    expect(words.amountInWords(balance) + rest).toBe(said.amount);
    expect(words.needsAttention(balance)).toBe(said.needsAttention);
  });

  it("has the same notices", () => {
    const expected = said.notices.map(([text, tone]) => [asOnThePage(text, now), tone]);
    const { accountError } = balance;
    if (accountError !== null && balance.account === null) {
      expect(said.creditNotKnown).toBe(`credit not known: ${accountError}`);
      expected.push([`The account's credit is not known: ${openEnded(accountError)}.`, "warning"]);
    }
    expect(words.notices(balance, now).map(({ text, importance }) => [text, importance])).toEqual(expected);
    const whyNoCredit = limitWords.whyNoCredit(balance);
    if (accountError === null) expect(whyNoCredit === null ? null : `credit ${whyNoCredit}`).toBe(said.creditNotKnown);
  });

  it("has the same amounts, percentage and reset of what limits it", () => {
    if (limiting === null) {
      expect([said.gauge, said.resets, words.percentLeft(balance)]).toEqual([null, null, null]);
      return;
    }
    const { spent, limit, remaining } = limiting;
    expect([`${usd(spent)} of ${usd(limit)} used · ${usd(remaining)} left`, `${words.percentLeft(balance)} left`]).toEqual(said.gauge);
    expect(resets(limiting, now)).toBe(asOnThePage(said.resets ?? "", now));
  });

  it("has the same pace, run-out and what it takes to last", () => {
    const pace = words.paceCell(balance, null, now);
    expect(pace.value === null ? null : `${pace.value} ${pace.unit} (${pace.basis.replace(" (UTC)", "")})`).toBe(said.pace);
    expect(pace.toLast).toBe(said.toLast === null ? null : `to last ${said.toLast}`);
    const cell = words.untilCell(balance, null, now);
    if (isExpired) expect([cell.label, cell.value]).toEqual(["Refused", "key expired"]);
    else if (said.runsOut !== null) {
      const [when, ...rest] = cell.lines.filter((line) => !/^(the |then nothing for )/.test(line));
      expect(cell.label).toBe("Runs out");
      expect([`${cell.value} · ${when}`, ...rest]).toEqual(said.runsOut.map((line) => asOnThePage(line, now)));
    } else if (said.lasts !== null) {
      const isEndless = cell.value === "ten years or more";
      const lines = isEndless ? [cell.value] : [`until the reset, ${cell.lines[1]}`, ...cell.lines.slice(2)];
      expect([cell.label, ...lines]).toEqual(["Lasts", ...said.lasts]);
    } else expect([cell.label, cell.value === "not known"]).toEqual(balance.level === "exhausted" ? ["Refused until", false] : ["Runs out", cell.value !== "never"]);
  });

  it("has the same limits", () => {
    const name = (limit: Budget | Account) => ("scope" in limit ? words.budgetName(limit, balance) : "account's credit");
    const cells = (limit: Budget | Account) =>
      "scope" in limit ? [usd(limit.remaining), usd(limit.limit), percent(limit.percentRemaining, limit.remaining)] : [usd(limit.remaining)];
    const limits = balance.account === null ? balance.budgets : [...balance.budgets, balance.account];
    if (limits.length < 2) return expect(said.limits).toEqual([]);
    expect(limits.map((limit) => [name(limit), ...cells(limit)])).toEqual(said.limits.map((row) => row.slice(0, -1)));
    limits.forEach((limit, index) => {
      expect(inColumn(limitWords.limitRunOut(limit, balance, now))).toMatch(fromColumn(said.limits[index]?.at(-1) ?? ""));
    });
  });

  it("has the same verdict, rate and runaway", () => {
    for (const [seconds, text, tone] of said.verdicts) {
      expect(words.verdict(balance, runaway, now + seconds * 1000)).toEqual({ text, tone: TONES[tone] });
    }
    expect(rate && words.rateInWords(rate, now)).toBe(said.rate);
    expect(runaway && words.runawayInWords(runaway, now)).toBe(said.runaway);
  });
});

vi.mock("../src/theme", () => ({ chosen: () => "system", choose: () => undefined }));
vi.mock("../src/chart/panel", () => ({ HistoryPanel: () => null }));

describe("on the page", () => {
  let root: HTMLElement;

  beforeEach(() => {
    root = document.createElement("div");
    document.body.append(root);
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network in tests")));
    vi.useFakeTimers({ toFake: ["Date"] });
  });

  afterEach(() => {
    render(null, root);
    root.remove();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it.each(CASES)("$name shows them", async ({ balance, rate, runaway, said }) => {
    const now = Date.parse(balance.fetchedAt);
    vi.setSystemTime(now);
    const feed = new Feed({
      openStream: () => ({ readyState: 0, onopen: null, onmessage: null, onerror: null, close() {} }),
      fetchSnapshot: () => Promise.resolve(envelope(balance, { rate, runaway })),
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
    const texts = (name: string) => [...root.querySelectorAll(`[data-testid="${name}"]`)].map((one) => one.textContent);
    const text = (name: string) => root.querySelector(`[data-testid="${name}"]`)?.textContent ?? null;
    const [amount, level, limitedBy] = said.amount.split(" · ");
    expect(text("amount")).toBe(amount);
    if (level !== undefined) expect(text("level")).toBe(level.toLowerCase());
    expect(text("limited-by")?.toLowerCase() ?? null).toBe(limitedBy?.toLowerCase() ?? null);
    expect(text("verdict")).toContain(said.verdicts[0]?.[1]);
    const notes = ["warning", "expiry", "account-note"].flatMap((name) => texts(name));
    for (const [notice] of said.notices) expect(notes).toContain(asOnThePage(notice, now));
    const [used, left] = said.gauge ?? [];
    expect(text("percent")).toBe(left?.replace(" left", "") ?? null);
    if (used !== undefined) expect(used).toContain(`${text("used")} of ${text("limit")} used`);
    if (said.pace !== null) expect(said.pace).toContain(text("per-day"));
    const isTooLate = runaway !== null || text("refused-until") !== null;
    const end = root.querySelector('[data-testid="key-expires"], [data-testid="runs-out"], [data-testid="lasts"]')?.parentElement?.textContent ?? "";
    const lines = [...(said.runsOut ?? []), ...(said.lasts ?? [])].flatMap((line) => asOnThePage(line, now).split(/ · |^until the reset, /));
    if (!isTooLate) for (const line of lines) expect(end).toContain(line);
    const rows = [...root.querySelectorAll('[data-testid^="budget-"]')].map((row) => row.textContent?.replaceAll("’", "'").toLowerCase());
    for (const limit of said.limits) {
      const cells = limit.slice(0, -1).map((cell) => cell.toLowerCase());
      expect(rows.filter((row) => cells.every((cell) => row?.includes(cell)))).not.toEqual([]);
    }
  });
});
