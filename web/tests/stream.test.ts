// The feed, driven by hand: answers come when a test says so, and so do the stream's events and the time.

import { beforeEach, describe, expect, it } from "vitest";
import { Refusal, Unreachable } from "../src/api";
import { age } from "../src/clock";
import type { Balance, Envelope, SnapshotEvent } from "../src/generated";
import { Feed, LONGEST_SILENCE, POLL_EVERY, STARTING_PAUSE, type Stream } from "../src/stream";
import { envelope, later } from "./balances";

class FakeStream implements Stream {
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent<string>) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;

  close(): void {
    this.readyState = 2;
  }

  up(): void {
    this.readyState = 1;
    this.onopen?.({} as Event);
  }

  send(sent: Envelope | string): void {
    this.onmessage?.({ data: typeof sent === "string" ? sent : JSON.stringify(sent) } as MessageEvent<string>);
  }

  /** The connection broke, and the browser reconnects. */
  lose(): void {
    this.readyState = 0;
    this.onerror?.({} as Event);
  }

  /** The answer was no stream; the browser gives up. */
  refuse(): void {
    this.readyState = 2;
    this.onerror?.({} as Event);
  }
}

interface Request<T> {
  answer(what: T): Promise<void>;
  fail(error: unknown): Promise<void>;
}

let now: number;
let timers: { at: number; act: () => void }[];
let streams: FakeStream[];
let requests: Request<Envelope>[];
let refreshes: Request<void>[];
let feed: Feed;

function request<T>(list: Request<T>[]): Promise<T> {
  return new Promise((resolve, reject) => {
    list.push({
      answer: (what) => (resolve(what), settle()),
      fail: (error) => (reject(error as Error), settle()),
    });
  });
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

async function pass(milliseconds: number): Promise<void> {
  const end = now + milliseconds;
  for (;;) {
    const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
    if (next === undefined) break;
    timers = timers.filter((timer) => timer !== next);
    now = next.at;
    next.act();
    await settle();
  }
  now = end;
}

/** The envelope of a poll, which found that amount. */
function poll(sequence: number, spendable = 158.61, more: Partial<Balance> = {}, changes: Partial<Envelope> = {}): Envelope {
  return envelope({ fetchedAt: later(60 * (sequence - 1)), spendable, ...more }, { sequence, ...changes });
}

const spendable = () => feed.view.held?.balance.spendable;
const refusal = (status: number, code: string) => new Refusal(status, { error: "No.", code, hint: "" });
const stream = () => streams.at(-1) as FakeStream;
const openStreams = () => streams.filter((one) => one.readyState !== 2).length;

/** A page that is visible, with its first snapshot and a stream that is up. */
async function begin(): Promise<void> {
  void feed.start(false);
  await requests.shift()!.answer(poll(1));
  stream().up();
}

beforeEach(() => {
  now = Date.parse("2031-06-01T00:00:00Z");
  timers = [];
  streams = [];
  requests = [];
  refreshes = [];
  feed = new Feed({
    openStream: () => {
      const one = new FakeStream();
      streams.push(one);
      return one;
    },
    fetchSnapshot: () => request(requests),
    refresh: () => request(refreshes),
    now: () => now,
    fetchProfiles: () => Promise.reject(new Error("one profile is not asked about as several")),
    beforeDrawing: (act) => act(),
    after: (milliseconds, act) => {
      const timer = { at: now + milliseconds, act };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  });
});

describe("while the tab is visible", () => {
  it("asks once, then listens", async () => {
    await begin();
    expect(spendable()).toBe(158.61);
    stream().send(poll(1));
    stream().send(poll(2, 150));
    expect(spendable()).toBe(150);
    expect(requests).toHaveLength(0);
  });

  it("knows from every envelope how old its numbers are", async () => {
    await begin();
    stream().send(poll(2, 150, {}, { age: 33.25 }));
    expect(age(feed.view.held!, now)).toBe(33_250);
    now += 60_000;
    stream().send(poll(3, 150, {}, { age: 0.004 }));
    expect(age(feed.view.held!, now)).toBe(4);
    expect(requests).toHaveLength(0);
  });

  it("takes the server's age where the browser's clock was set", async () => {
    await begin();
    now += 7_200_000;
    stream().send(poll(1, 158.61, { stale: true }, { sequence: 2, age: 60 }));
    expect(age(feed.view.held!, now)).toBe(60_000);
    expect(feed.view.held?.balance.stale).toBe(true);
  });

  it("shows an envelope's problem until one with a balance comes", async () => {
    void feed.start(false);
    const problem = { error: "OpenRouter refused the key.", code: "refused", hint: "" };
    await requests.shift()!.answer(envelope(null, { problem }));
    stream().up();
    expect(feed.view).toMatchObject({ problem, held: null });
    stream().send(poll(2));
    expect(feed.view.problem).toBeNull();
    expect(spendable()).toBe(158.61);
    expect(requests).toHaveLength(0);
  });

  it("ignores what makes no sense", async () => {
    await begin();
    const broken = [
      ...["", "<html>", "null", "[]", "{}", "7", JSON.stringify(poll(2).balance)],
      JSON.stringify({ ...poll(2), sequence: "2" }),
      JSON.stringify({ ...poll(2), balance: { fetchedAt: "soon", budgets: [], spendable: 1 } }),
      JSON.stringify({ ...poll(2), balance: null }),
      JSON.stringify({ ...poll(2), events: null }),
    ];
    for (const nonsense of broken) stream().send(nonsense);
    expect(spendable()).toBe(158.61);
    expect(requests).toHaveLength(0);
  });

  it("asks again soon while the server's first poll has not ended", async () => {
    void feed.start(false);
    await requests.shift()!.fail(refusal(503, "starting"));
    await pass(STARTING_PAUSE);
    await requests.shift()!.answer(poll(1));
    expect(spendable()).toBe(158.61);
    expect(feed.view.problem).toBeNull();
  });
});

describe("envelopes out of order", () => {
  it("an earlier answer that arrives later does not replace the newer one", async () => {
    await begin();
    feed.retry();
    feed.retry();
    const [slow, quick] = requests.splice(0);
    await quick!.answer(poll(3, 150));
    await slow!.answer(poll(2, 155));
    expect(spendable()).toBe(150);
  });

  it("nor does the same numbers' envelope from before they became stale", async () => {
    await begin();
    feed.retry();
    stream().send(poll(1, 158.61, { stale: true }, { sequence: 2 }));
    await requests.shift()!.answer(poll(1));
    expect(feed.view.held?.balance.stale).toBe(true);
  });

  it("an answer that an earlier one has overtaken still counts", async () => {
    await begin();
    feed.retry();
    stream().send(poll(2, 155));
    await requests.shift()!.answer(poll(3, 150));
    expect(spendable()).toBe(150);
  });

  it("a delayed event changes nothing but makes it ask", async () => {
    await begin();
    stream().send(poll(3, 150));
    stream().send(poll(2, 155));
    expect(spendable()).toBe(150);
    await requests.shift()!.answer(poll(3, 150));
    expect(spendable()).toBe(150);
  });

  it("a restarted server, which counts from 1 again, is believed over HTTP", async () => {
    await begin();
    stream().send(poll(500, 100));
    stream().lose();
    await requests.shift()!.answer(poll(500, 100));
    stream().up();
    stream().send(poll(1, 90));
    expect(spendable()).toBe(100);
    await requests.shift()!.answer(poll(1, 90));
    expect(spendable()).toBe(90);
    stream().send(poll(2, 80));
    expect(spendable()).toBe(80);
    expect(requests).toHaveLength(0);
  });

  it("numbers stay beside the problem of a restarted server that has none", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.answer(envelope(null));
    expect(feed.view.problem?.code).toBe("unreachable");
    expect(spendable()).toBe(158.61);
  });

  it("a request that fails after a newer envelope came is not an error", async () => {
    await begin();
    feed.retry();
    stream().send(poll(2, 158.61, { stale: true }));
    await requests[0]!.fail(new Unreachable("timed out"));
    expect(feed.view.unreachable).toBeNull();
  });
});

describe("events", () => {
  const event = (text: string): SnapshotEvent => ({ at: later(text.length), kind: "level", text, isWorse: false });
  const texts = () => feed.view.events.map((one) => one.text);

  it("are collected, each once, and no more than 20", async () => {
    await begin();
    const [first, second] = [event("first"), event("second")];
    stream().send(poll(1, 1, {}, { events: [first] }));
    stream().send(poll(2, 1, {}, { events: [second] }));
    expect(texts()).toEqual(["first", "second"]);
    stream().send(poll(2, 1, {}, { events: [second] }));
    feed.retry();
    await requests.shift()!.answer(poll(2, 1, {}, { events: [first, second] }));
    expect(texts()).toEqual(["first", "second"]);
    for (let number = 3; number < 30; number += 1) stream().send(poll(number, 1, {}, { events: [event(`n ${number}`)] }));
    expect(texts()).toHaveLength(20);
    expect(texts().at(-1)).toBe("n 29");
  });
});

describe("profiles", () => {
  it("are kept apart; the one that the server answers with is shown", async () => {
    await begin();
    stream().send(poll(7, 20, {}, { profile: "work" }));
    expect(spendable()).toBe(158.61);
    stream().send(poll(2, 150));
    stream().send(poll(6, 30, {}, { profile: "work" })); // delayed
    expect(spendable()).toBe(150);
    await requests.shift()!.answer(poll(2, 150));
    expect(spendable()).toBe(150);
    feed.retry();
    await requests.shift()!.answer(poll(8, 10, {}, { profile: "work" }));
    expect(spendable()).toBe(10);
  });
});

describe("when the stream fails", () => {
  it("asks at once, and polls until it is back", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.answer(poll(1));
    await pass(POLL_EVERY);
    await requests.shift()!.answer(poll(2, 150));
    expect(spendable()).toBe(150);
    for (let retry = 2; retry <= 20; retry += 1) stream().lose(); // the browser reconnects
    expect(requests).toHaveLength(4); // the second, fourth, eighth and sixteenth
    for (const one of requests.splice(0)) await one.answer(poll(2, 150));
    await pass(POLL_EVERY);
    expect(requests).toHaveLength(1);
  });

  it("polls no more once it is back", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.answer(poll(1));
    stream().up();
    await pass(POLL_EVERY + 1);
    expect(requests).toHaveLength(0);
  });

  it("says that the server cannot be reached, keeps the numbers, and recovers without help", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.fail(new Unreachable("it does not answer"));
    expect(feed.view.unreachable).toBe("it does not answer");
    expect(spendable()).toBe(158.61);
    stream().up(); // which sends nothing at once to a browser that has the latest event
    await requests.shift()!.answer(poll(1, 158.61, {}, { age: 200 }));
    expect(feed.view.unreachable).toBeNull();
    expect(age(feed.view.held!, now)).toBe(200_000);
  });

  it("asks again when it stays lost, since a server that stops may still have answered; less and less often", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.answer(poll(1));
    expect(feed.view.unreachable).toBeNull();
    stream().lose();
    await requests.shift()!.fail(new Unreachable("it does not answer"));
    expect(feed.view.unreachable).toBe("it does not answer");
    stream().lose();
    expect(requests).toHaveLength(0);
    stream().lose();
    expect(requests).toHaveLength(1);
  });

  it("opens another one when the browser has given up, later each time", async () => {
    await begin();
    stream().refuse();
    await requests.shift()!.answer(poll(1));
    await pass(3_000);
    expect(streams).toHaveLength(2);
    stream().refuse();
    await pass(5_999);
    expect(streams).toHaveLength(2);
    await pass(1);
    expect(streams).toHaveLength(3);
    expect(openStreams()).toBe(1);
  });

  it("distrusts a stream that is up but silent, when the server knows more", async () => {
    await begin();
    await pass(LONGEST_SILENCE);
    await requests.shift()!.answer(poll(1));
    expect(streams).toHaveLength(1); // nothing new: it was silent for a reason
    await pass(LONGEST_SILENCE);
    await requests.shift()!.answer(poll(4, 140));
    expect(spendable()).toBe(140);
    expect(streams).toHaveLength(2);
    expect(openStreams()).toBe(1);
  });

  it("reconnects at once when the network is back", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.fail(new Unreachable("gone"));
    feed.retry();
    expect(streams).toHaveLength(2);
    await requests.shift()!.answer(poll(1));
    expect(feed.view.unreachable).toBeNull();
  });

  it("receives nothing from a stream that it has closed", async () => {
    await begin();
    const old = stream();
    old.send(poll(1));
    feed.setHidden(true);
    old.send(poll(2, 1));
    old.lose();
    expect(spendable()).toBe(158.61);
    expect(requests).toHaveLength(0);
  });
});

describe("while the tab is hidden", () => {
  it("closes the stream and polls", async () => {
    await begin();
    feed.setHidden(true);
    expect(openStreams()).toBe(0);
    await pass(POLL_EVERY);
    await requests.shift()!.answer(poll(2, 150));
    expect(spendable()).toBe(150);
    await pass(POLL_EVERY);
    expect(requests).toHaveLength(1);
    expect(openStreams()).toBe(0);
  });

  it("asks and listens again once it is visible", async () => {
    await begin();
    feed.setHidden(true);
    feed.setHidden(false);
    expect(requests).toHaveLength(1);
    expect(openStreams()).toBe(1);
  });

  it("opens no stream when it begins hidden", async () => {
    void feed.start(true);
    await requests.shift()!.answer(poll(1));
    expect(streams).toHaveLength(0);
    await pass(POLL_EVERY);
    expect(requests).toHaveLength(1);
  });
});

describe("login", () => {
  it("is needed when the server says 401, and then nothing is asked", async () => {
    void feed.start(false);
    await requests.shift()!.fail(refusal(401, "unauthorized"));
    expect(feed.view.isLoginNeeded).toBe(true);
    expect(streams).toHaveLength(0);
    await pass(10 * POLL_EVERY);
    feed.setHidden(true);
    feed.setHidden(false);
    feed.retry();
    expect(requests).toHaveLength(0);
  });

  it("is needed when the stream is refused for that", async () => {
    await begin();
    stream().refuse();
    await requests.shift()!.fail(refusal(401, "unauthorized"));
    expect(feed.view).toMatchObject({ isLoginNeeded: true, held: null, events: [] });
    await pass(POLL_EVERY);
    expect(openStreams()).toBe(0);
  });

  it("brings back the numbers and the stream", async () => {
    void feed.start(false);
    await requests.shift()!.fail(refusal(401, "unauthorized"));
    void feed.loggedIn();
    await requests.shift()!.answer(poll(1));
    expect(feed.view.isLoginNeeded).toBe(false);
    expect(spendable()).toBe(158.61);
    expect(openStreams()).toBe(1);
  });

  it("does not end because of an answer from before it", async () => {
    await begin();
    feed.retry();
    const before = requests.shift();
    feed.loggedOut();
    expect(feed.view).toMatchObject({ isLoginNeeded: true, held: null });
    await before!.answer(poll(2));
    expect(feed.view.held).toBeNull();
    feed.setHidden(true);
    expect(openStreams()).toBe(0);
  });
});

describe("a refresh", () => {
  it("is busy until the snapshot after it has come, and asked for once", async () => {
    await begin();
    void feed.refresh();
    void feed.refresh();
    expect(refreshes).toHaveLength(1);
    expect(feed.view.isRefreshing).toBe(true);
    await refreshes.shift()!.answer();
    expect(feed.view.isRefreshing).toBe(true);
    await requests.shift()!.answer(poll(2, 157));
    expect(feed.view.isRefreshing).toBe(false);
    expect(spendable()).toBe(157);
  });

  it("that fails says why and keeps the numbers", async () => {
    await begin();
    void feed.refresh();
    await refreshes.shift()!.fail(refusal(502, "unreachable"));
    expect(feed.view).toMatchObject({ isRefreshing: false, problem: { code: "unreachable" } });
    expect(spendable()).toBe(158.61);
  });
});
