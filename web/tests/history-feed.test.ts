// When the history is asked for, and what is shown until it comes.

import { describe, expect, it } from "vitest";
import { Refusal, Unreachable } from "../src/api";
import type { Range } from "../src/chart/range";
import type { HistoryDocument } from "../src/generated";
import { HistoryFeed } from "../src/history-feed";
import { whyNot } from "../src/why-not";
import { balance, later } from "./balances";
import { history } from "./histories";

/** A balance of a profile, given so many seconds after the first. */
const of = (profile: string | null, seconds = 0) => balance({ profile, fetchedAt: later(seconds) });

/** A feed with a clock of seconds, and requests that the test answers. */
function feed() {
  const asked: Range[] = [];
  const answers: ((answer: HistoryDocument | Error) => Promise<void>)[] = [];
  const clock = { seconds: 0 };
  const it = new HistoryFeed(
    (range) =>
      new Promise((resolve, reject) => {
        asked.push(range);
        answers.push(async (answer) => {
          if (answer instanceof Error) reject(answer);
          else resolve(answer);
          await Promise.resolve();
        });
      }),
    () => clock.seconds * 1000,
  );
  return { it, asked, answers, clock };
}

const FIRST = history({ since: "2026-01-01T00:00:00.000Z" });
const SECOND = history({ since: "2026-02-01T00:00:00.000Z" });

describe("the history", () => {
  it("is asked for once a minute, however many polls there are", async () => {
    const { it, asked, answers, clock } = feed();
    const first = it.ask(of(null), "30d", false);
    await answers[0]?.(FIRST);
    await first;
    expect(it.known).toEqual({ history: FIRST, range: "30d", note: null, events: [] });
    clock.seconds = 50;
    void it.ask(of(null, 50), "30d", false);
    expect(asked).toEqual(["30d"]);
    clock.seconds = 60;
    void it.ask(of(null, 60), "30d", false);
    expect(asked).toEqual(["30d", "30d"]);
  });

  it("is asked for at once for another range, and the old one stays until it comes", async () => {
    const { it, asked, answers } = feed();
    const first = it.ask(of(null), "30d", false);
    await answers[0]?.(FIRST);
    await first;
    const second = it.ask(of(null), "7d", false);
    expect(asked).toEqual(["30d", "7d"]);
    expect(it.known).toMatchObject({ history: FIRST, range: "30d" });
    await answers[1]?.(SECOND);
    await second;
    expect(it.known).toMatchObject({ history: SECOND, range: "7d" });
  });

  it("of a range that is not shown any more is dropped", async () => {
    const { it, answers } = feed();
    const all = [it.ask(of(null), "30d", false), it.ask(of(null), "7d", false)];
    await answers[1]?.(SECOND);
    await answers[0]?.(FIRST);
    await Promise.all(all);
    expect(it.known).toMatchObject({ history: SECOND, range: "7d" });
  });

  it("of another key is not shown for this one", async () => {
    const { it, answers } = feed();
    const first = it.ask(of("one"), "30d", false);
    await answers[0]?.(FIRST);
    await first;
    void it.ask(of("other"), "30d", false);
    expect(it.known.history).toBeNull();
  });

  it("is not asked for again while the tab is hidden", () => {
    const { it, asked, clock } = feed();
    void it.ask(of(null), "30d", true);
    clock.seconds = 100;
    void it.ask(of(null, 100), "30d", true);
    expect(asked).toEqual(["30d"]);
  });

  it("stays where a newer one cannot be had, with a note", async () => {
    const { it, answers, clock } = feed();
    const heard: (string | null)[] = [];
    it.subscribe(() => heard.push(it.known.note));
    const first = it.ask(of(null), "30d", false);
    await answers[0]?.(FIRST);
    await first;
    clock.seconds = 60;
    const second = it.ask(of(null, 60), "30d", false);
    await answers[1]?.(new Unreachable("gone"));
    await second;
    expect(it.known.history).toBe(FIRST);
    const third = it.ask(of(null), "7d", false);
    await answers[2]?.(new Unreachable("gone"));
    await third;
    expect(it.known).toMatchObject({ history: null, range: "7d" });
    expect(heard).toEqual(["Loading…", null, expect.stringContaining("cannot reach"), expect.stringContaining("cannot reach")]);
  });

  it("is waited for where it is slow: a newer request would have its answer dropped", async () => {
    const { it, asked, answers, clock } = feed();
    const first = it.ask(of(null), "30d", false);
    clock.seconds = 70;
    void it.ask(of(null, 70), "30d", false);
    expect(asked).toEqual(["30d"]);
    await answers[0]?.(FIRST);
    await first;
    expect(it.known.history).toBe(FIRST);
  });

  it("is asked for again after a failure, also where OpenRouter has not answered since", async () => {
    const { it, asked, answers, clock } = feed();
    const first = it.ask(of(null), "30d", false);
    await answers[0]?.(new Unreachable("gone"));
    await first;
    void it.ask(of(null), "30d", false);
    expect(asked).toHaveLength(1);
    clock.seconds = 60;
    const second = it.ask(of(null), "30d", false);
    await answers[1]?.(FIRST);
    await second;
    expect(it.known).toMatchObject({ history: FIRST, note: null });
    clock.seconds = 120;
    void it.ask(of(null), "30d", false);
    expect(asked).toHaveLength(2);
  });

  it("is asked for at once after a login, without the refusal from before it", async () => {
    const { it, answers } = feed();
    const first = it.ask(of(null), "30d", false);
    await answers[0]?.(new Refusal(401, { error: "Log in.", code: "login_needed", hint: "" }));
    await first;
    void it.ask(of(null), "30d", false);
    expect(it.known.note).toBe("Loading…");
    expect(answers).toHaveLength(2);
  });

  it("keeps the events where another range cannot be had", async () => {
    const { it, answers } = feed();
    const events = [{ at: later(0), kind: "back", text: "OpenRouter answers again", isWorse: false }];
    const first = it.ask(of(null), "30d", false);
    await answers[0]?.(history({ events }));
    await first;
    const second = it.ask(of(null), "all", false);
    await answers[1]?.(new Unreachable("gone"));
    await second;
    expect(it.known).toMatchObject({ history: null, events });
  });

  it("is not taken from anything that is none", async () => {
    for (const answer of [null, {}, { ...FIRST, spend: null }]) {
      const { it, answers } = feed();
      const first = it.ask(of(null), "30d", false);
      await answers[0]?.(answer as HistoryDocument);
      await first;
      expect(it.known).toMatchObject({ history: null, note: expect.stringContaining("could not be fetched") as string });
    }
  });
});

describe("without a history", () => {
  const refused = (code: string) => whyNot(new Refusal(503, { error: "The database is locked.", code, hint: "Wait." }));

  it("says why", () => {
    expect(refused("no_history")).toContain("--no-history");
    expect(refused("history_unavailable")).toBe("The history cannot be read: The database is locked. Wait.");
    expect(whyNot(new Unreachable("gone"))).toContain("cannot reach orcredit");
  });
});
