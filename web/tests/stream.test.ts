// The feed, driven by hand: answers come when a test says so, and so do the stream's events and the time.

import { beforeEach, describe, expect, it } from "vitest";
import { type Answer, Refusal, Unreachable } from "../src/api";
import { age } from "../src/clock";
import type { Balance } from "../src/generated";
import { Feed, LONGEST_SILENCE, POLL_EVERY, STARTING_PAUSE, type Stream } from "../src/stream";
import { balance, later } from "./balances";

class FakeStream implements Stream {
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent<string>) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onproblem: ((event: MessageEvent<string>) => void) | null = null;

  addEventListener(_type: "problem", listener: (event: MessageEvent<string>) => void): void {
    this.onproblem = listener;
  }

  close(): void {
    this.readyState = 2;
  }

  up(): void {
    this.readyState = 1;
    this.onopen?.({} as Event);
  }

  send(sent: Balance | string): void {
    this.onmessage?.({ data: typeof sent === "string" ? sent : JSON.stringify(sent) } as MessageEvent<string>);
  }

  problem(error: string, code = "unreachable"): void {
    this.onproblem?.({ data: JSON.stringify({ error, code, hint: "" }) } as MessageEvent<string>);
  }

  /** The connection broke, and the browser tries again by itself. */
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

interface Request {
  answer(what: Balance, age?: number): Promise<void>;
  fail(error: unknown): Promise<void>;
}

let now: number;
let timers: { at: number; act: () => void }[];
let streams: FakeStream[];
let requests: Request[];
let refreshes: Request[];
let feed: Feed;

function request(list: Request[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    list.push({
      answer: (what, seconds = 0) => (resolve({ balance: what, age: seconds }), settle()),
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

const spendable = () => feed.known.held?.balance.spendable;
const refusal = (status: number, code: string) => new Refusal(status, { error: "No.", code, hint: "" });
const stream = () => streams.at(-1) as FakeStream;
const openStreams = () => streams.filter((one) => one.readyState !== 2).length;

/** A page that is shown, with its first balance and a stream that is up. */
async function begin(): Promise<void> {
  void feed.start(false);
  await (requests.shift() as Request).answer(balance());
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
    fetchBalance: () => request(requests),
    refreshBalance: () => request(refreshes),
    now: () => now,
    after: (milliseconds, act) => {
      const timer = { at: now + milliseconds, act };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  });
});

describe("while the tab is seen", () => {
  it("asks once, then listens", async () => {
    await begin();
    expect(spendable()).toBe(158.61);
    stream().send(balance());
    stream().send(balance({ fetchedAt: later(60), spendable: 150 }));
    expect(spendable()).toBe(150);
    expect(requests).toHaveLength(0);
  });

  it("takes an event that has just been published for new", async () => {
    await begin();
    stream().send(balance());
    now += 60_000;
    stream().send(balance({ fetchedAt: later(60) }));
    expect(age(feed.known.held!, now)).toBe(0);
  });

  it("asks how old the first event of a connection is, if it does not know it", async () => {
    await begin();
    stream().send(balance({ fetchedAt: later(60), spendable: 150 }));
    await requests.shift()!.answer(balance({ fetchedAt: later(60), spendable: 150 }), 33);
    expect(age(feed.known.held!, now)).toBe(33_000);
  });

  it("takes that event all the same when nobody answers", async () => {
    await begin();
    stream().send(balance({ fetchedAt: later(60), spendable: 150 }));
    await requests.shift()!.fail(new Unreachable("gone"));
    expect(spendable()).toBe(150);
    expect(feed.known.unreachable).toBeNull();
  });

  it("keeps the age of numbers that have become stale", async () => {
    await begin();
    stream().send(balance());
    now += 60_000;
    stream().send(balance({ stale: true, staleReason: "OpenRouter did not answer." }));
    expect(feed.known.held?.balance.stale).toBe(true);
    expect(age(feed.known.held!, now)).toBe(60_000);
  });

  it("shows a problem that the stream tells of, until a balance comes", async () => {
    void feed.start(false);
    await requests.shift()!.fail(refusal(502, "unreachable"));
    stream().up();
    await requests.shift()!.fail(refusal(502, "unreachable"));
    stream().problem("OpenRouter refused the key.", "refused");
    expect(feed.known.problem).toMatchObject({ code: "refused", error: "OpenRouter refused the key." });
    stream().send(balance());
    await requests.shift()!.answer(balance());
    expect(feed.known.problem).toBeNull();
    expect(spendable()).toBe(158.61);
  });

  it("ignores what makes no sense", async () => {
    await begin();
    for (const nonsense of ["", "<html>", "null", "[]", "{}", '{"fetchedAt":"soon","budgets":[],"spendable":1}']) {
      stream().send(nonsense);
    }
    expect(spendable()).toBe(158.61);
  });

  it("asks again soon while the server has not asked OpenRouter yet", async () => {
    void feed.start(false);
    await requests.shift()!.fail(refusal(503, "starting"));
    await pass(STARTING_PAUSE);
    await requests.shift()!.answer(balance());
    expect(spendable()).toBe(158.61);
    expect(feed.known.problem).toBeNull();
  });
});

describe("answers out of order", () => {
  it("an earlier answer that arrives later does not replace the newer one", async () => {
    await begin();
    feed.retry();
    feed.retry();
    const [slow, quick] = requests.splice(0);
    await quick!.answer(balance({ fetchedAt: later(60), spendable: 150 }));
    await slow!.answer(balance({ fetchedAt: later(30), spendable: 155 }));
    expect(spendable()).toBe(150);
  });

  it("nor does the same answer from before it became stale", async () => {
    await begin();
    feed.retry();
    stream().send(balance({ stale: true }));
    await requests.shift()!.answer(balance());
    expect(feed.known.held?.balance.stale).toBe(true);
  });

  it("an event with an earlier answer makes it ask, and what is answered then holds", async () => {
    await begin();
    stream().send(balance());
    stream().send(balance({ fetchedAt: later(-86_400), spendable: 500 }));
    expect(spendable()).toBe(158.61);
    await requests.shift()!.answer(balance({ fetchedAt: later(-86_400), spendable: 500 }));
    expect(spendable()).toBe(500); // a server that began anew, with another clock
  });

  it("a request that fails after newer news came is no trouble", async () => {
    await begin();
    feed.retry();
    stream().send(balance({ fetchedAt: later(60), stale: true }));
    await requests[1]!.answer(balance({ fetchedAt: later(60) }));
    await requests[0]!.fail(new Unreachable("timed out"));
    expect(feed.known.unreachable).toBeNull();
  });
});

describe("when the stream fails", () => {
  it("asks at once, and polls until it is back", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.answer(balance());
    await pass(POLL_EVERY);
    await requests.shift()!.answer(balance({ fetchedAt: later(60), spendable: 150 }));
    expect(spendable()).toBe(150);
    for (let retry = 2; retry <= 20; retry += 1) stream().lose(); // the browser's own tries
    expect(requests).toHaveLength(4); // the second, fourth, eighth and sixteenth
    for (const one of requests.splice(0)) await one.answer(balance({ fetchedAt: later(60), spendable: 150 }));
    await pass(POLL_EVERY);
    expect(requests).toHaveLength(1);
  });

  it("polls no more once it is back", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.answer(balance());
    stream().up();
    await pass(POLL_EVERY + 1);
    expect(requests).toHaveLength(0);
  });

  it("tells that the server cannot be reached, keeps the numbers, and recovers by itself", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.fail(new Unreachable("it does not answer"));
    expect(feed.known.unreachable).toBe("it does not answer");
    expect(spendable()).toBe(158.61);
    stream().up();
    await requests.shift()!.answer(balance(), 200);
    expect(feed.known.unreachable).toBeNull();
    expect(age(feed.known.held!, now)).toBe(200_000);
  });

  it("asks again when it stays lost, since a server that ends may still have answered; less and less often", async () => {
    await begin();
    stream().up();
    stream().lose();
    await requests.shift()!.answer(balance());
    expect(feed.known.unreachable).toBeNull();
    stream().lose();
    await requests.shift()!.fail(new Unreachable("it does not answer"));
    expect(feed.known.unreachable).toBe("it does not answer");
    stream().lose();
    expect(requests).toHaveLength(0);
    stream().lose();
    expect(requests).toHaveLength(1);
  });

  it("opens another one when the browser has given up, later each time", async () => {
    await begin();
    stream().refuse();
    await requests.shift()!.answer(balance());
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
    await requests.shift()!.answer(balance());
    expect(streams).toHaveLength(1); // nothing new: it was silent for a reason
    await pass(LONGEST_SILENCE);
    await requests.shift()!.answer(balance({ fetchedAt: later(180), spendable: 140 }));
    expect(spendable()).toBe(140);
    expect(streams).toHaveLength(2);
    expect(openStreams()).toBe(1);
  });

  it("tries at once when the network is back", async () => {
    await begin();
    stream().lose();
    await requests.shift()!.fail(new Unreachable("gone"));
    feed.retry();
    expect(streams).toHaveLength(2);
    await requests.shift()!.answer(balance());
    expect(feed.known.unreachable).toBeNull();
  });

  it("hears nothing from a stream that it has closed", async () => {
    await begin();
    const old = stream();
    old.send(balance());
    feed.setHidden(true);
    old.send(balance({ fetchedAt: later(60), spendable: 1 }));
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
    await requests.shift()!.answer(balance({ fetchedAt: later(60), spendable: 150 }));
    expect(spendable()).toBe(150);
    await pass(POLL_EVERY);
    expect(requests).toHaveLength(1);
    expect(openStreams()).toBe(0);
  });

  it("asks and listens again once it is seen", async () => {
    await begin();
    feed.setHidden(true);
    feed.setHidden(false);
    expect(requests).toHaveLength(1);
    expect(openStreams()).toBe(1);
  });

  it("opens no stream when it begins hidden", async () => {
    void feed.start(true);
    await requests.shift()!.answer(balance());
    expect(streams).toHaveLength(0);
    await pass(POLL_EVERY);
    expect(requests).toHaveLength(1);
  });
});

describe("log-in", () => {
  it("is needed when the server says 401, and then nothing is asked", async () => {
    void feed.start(false);
    await requests.shift()!.fail(refusal(401, "unauthorized"));
    expect(feed.known.isLoginNeeded).toBe(true);
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
    expect(feed.known).toMatchObject({ isLoginNeeded: true, held: null });
    await pass(POLL_EVERY);
    expect(openStreams()).toBe(0);
  });

  it("brings back the numbers and the stream", async () => {
    void feed.start(false);
    await requests.shift()!.fail(refusal(401, "unauthorized"));
    void feed.loggedIn();
    await requests.shift()!.answer(balance());
    expect(feed.known.isLoginNeeded).toBe(false);
    expect(spendable()).toBe(158.61);
    expect(openStreams()).toBe(1);
  });

  it("does not end because of an answer from before it", async () => {
    await begin();
    feed.retry();
    const before = requests.shift();
    feed.loggedOut();
    expect(feed.known).toMatchObject({ isLoginNeeded: true, held: null });
    await before!.answer(balance());
    expect(feed.known.held).toBeNull();
    feed.setHidden(true);
    expect(openStreams()).toBe(0);
  });
});

describe("a refresh", () => {
  it("is busy until it is answered, and asked for once", async () => {
    await begin();
    void feed.refresh();
    void feed.refresh();
    expect(refreshes).toHaveLength(1);
    expect(feed.known.isRefreshing).toBe(true);
    await refreshes.shift()!.answer(balance({ fetchedAt: later(5), spendable: 157 }));
    expect(feed.known.isRefreshing).toBe(false);
    expect(spendable()).toBe(157);
  });

  it("that fails tells why and keeps the numbers", async () => {
    await begin();
    void feed.refresh();
    await refreshes.shift()!.fail(refusal(502, "unreachable"));
    expect(feed.known).toMatchObject({ isRefreshing: false, problem: { code: "unreachable" } });
    expect(spendable()).toBe(158.61);
  });
});
