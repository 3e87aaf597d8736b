// When the history is asked for, and what is shown until it comes.

import { describe, expect, it } from "vitest";
import { Refusal, Unreachable } from "../src/api";
import type { Range } from "../src/chart/range";
import type { HistoryDocument } from "../src/generated";
import { HistoryFeed } from "../src/history-feed";
import { whyNot } from "../src/why-not";
import { history } from "./histories";

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
    const first = it.ask(null, "30d", false);
    await answers[0]?.(FIRST);
    await first;
    expect(it.known).toEqual({ history: FIRST, range: "30d", note: null });
    clock.seconds = 50;
    void it.ask(null, "30d", false);
    expect(asked).toEqual(["30d"]);
    clock.seconds = 60;
    void it.ask(null, "30d", false);
    expect(asked).toEqual(["30d", "30d"]);
  });

  it("is asked for at once for another range, and the old one stays until it comes", async () => {
    const { it, asked, answers } = feed();
    const first = it.ask(null, "30d", false);
    await answers[0]?.(FIRST);
    await first;
    const second = it.ask(null, "7d", false);
    expect(asked).toEqual(["30d", "7d"]);
    expect(it.known).toMatchObject({ history: FIRST, range: "30d" });
    await answers[1]?.(SECOND);
    await second;
    expect(it.known).toMatchObject({ history: SECOND, range: "7d" });
  });

  it("of a range that is not shown any more is dropped", async () => {
    const { it, answers } = feed();
    const all = [it.ask(null, "30d", false), it.ask(null, "7d", false)];
    await answers[1]?.(SECOND);
    await answers[0]?.(FIRST);
    await Promise.all(all);
    expect(it.known).toMatchObject({ history: SECOND, range: "7d" });
  });

  it("of another key is not shown for this one", async () => {
    const { it, answers } = feed();
    const first = it.ask("one", "30d", false);
    await answers[0]?.(FIRST);
    await first;
    void it.ask("other", "30d", false);
    expect(it.known.history).toBeNull();
  });

  it("is not asked for again while the tab is hidden", () => {
    const { it, asked, clock } = feed();
    void it.ask(null, "30d", true);
    clock.seconds = 100;
    void it.ask(null, "30d", true);
    expect(asked).toEqual(["30d"]);
  });

  it("stays where a newer one cannot be had, with a note", async () => {
    const { it, answers, clock } = feed();
    const heard: (string | null)[] = [];
    it.subscribe(() => heard.push(it.known.note));
    const first = it.ask(null, "30d", false);
    await answers[0]?.(FIRST);
    await first;
    clock.seconds = 60;
    const second = it.ask(null, "30d", false);
    await answers[1]?.(new Unreachable("gone"));
    await second;
    expect(it.known.history).toBe(FIRST);
    const third = it.ask(null, "7d", false);
    await answers[2]?.(new Unreachable("gone"));
    await third;
    expect(it.known).toMatchObject({ history: null, range: "7d" });
    expect(heard).toEqual(["Loading…", null, expect.stringContaining("cannot reach"), expect.stringContaining("cannot reach")]);
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
