// The feed of a server with several profiles.

import { beforeEach, describe, expect, it } from "vitest";
import type { Envelope, Profiles } from "../src/generated";
import { routeOf } from "../src/route";
import { NO_PROFILE } from "../src/state";
import { Feed, MOST_REFRESHED, type Stream } from "../src/stream";
import { envelope } from "./balances";

let streams: Stream[];
let asked: string[];
let timers: (() => void)[];
let drawings: (() => void)[];
let told: number;
/** What the server knows, in its order; null for a profile that it has not asked about. */
let server: Map<string, Envelope | null>;
let feed: Feed;

function of(name: string, sequence: number, spendable = 50, changes: Partial<Envelope> = {}): Envelope {
  const at = new Date(Date.parse("2026-02-12T16:00:00Z") + sequence * 1000).toISOString();
  return envelope({ profile: name || null, spendable, fetchedAt: at }, { profile: name || null, sequence, profileCount: server.size, ...changes });
}

function listed(): Profiles {
  return { default: "home", profiles: [...server].map(([name, known]) => ({ profile: name || null, envelope: known })) };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

const send = (sent: Envelope) => streams.at(-1)?.onmessage?.({ data: JSON.stringify(sent) } as MessageEvent<string>);
const draw = () => drawings.splice(0).forEach((act) => act());
const known = () => [...feed.view.profiles].map(([name, { held }]) => `${name} ${held?.balance.spendable ?? "-"}`);

beforeEach(() => {
  [streams, asked, timers, drawings, told] = [[], [], [], [], 0];
  server = new Map();
  for (const name of ["work", "home", ""]) server.set(name, null);
  server.set("work", of("work", 1, 10)).set("home", of("home", 2, 20));
  feed = new Feed({
    openStream: () => {
      const stream: Stream = { readyState: 1, onopen: null, onmessage: null, onerror: null, close() {} };
      streams.push(stream);
      return stream;
    },
    fetchSnapshot: async (_, profile) => {
      asked.push(`snapshot ${profile}`);
      return server.get(profile ?? "home") as Envelope;
    },
    fetchProfiles: async () => {
      asked.push("profiles");
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve(); // later than the page is drawn
      return listed();
    },
    refresh: async (profile) => {
      asked.push(`refresh ${profile}`);
      if (profile === "work") throw new Error("it does not answer");
    },
    now: () => 1_000_000,
    after: (_, act) => {
      timers.push(act);
      return () => void (timers = timers.filter((one) => one !== act));
    },
    beforeDrawing: (act) => drawings.push(act),
  });
  feed.subscribe(() => (told += 1));
});

describe("several profiles", () => {
  it("are listed once the first answer tells of them, in the server's order", async () => {
    await feed.start(false);
    expect(feed.view.page).toBe("table");
    await settle();
    expect(asked).toEqual(["snapshot null", "profiles"]);
    expect(known()).toEqual(["work 10", "home 20", " -"]);
  });

  it("are shown as a table; the address names one of them, also before they are listed, and the one without a name", async () => {
    feed.go(routeOf("#/key/work"));
    await feed.start(false);
    expect([feed.view.page, feed.view.name, feed.view.held]).toEqual(["key", "work", null]);
    await settle();
    expect(feed.view.held?.balance.spendable).toBe(10);
    feed.go(routeOf("#/key/"));
    expect([feed.view.page, feed.view.name]).toEqual(["key", ""]);
    feed.go(routeOf("#/"));
    expect(feed.view.page).toBe("table");
  });

  it.each(["key", "account"])("are not shown where the address (%s) names none of them, which is said once they are listed", async (page) => {
    feed.go(routeOf(`#/${page}/nowhere`));
    await feed.start(false);
    expect([feed.view.page, feed.view.name, feed.view.problem]).toEqual([page, "nowhere", null]);
    await settle();
    expect(feed.view).toMatchObject({ page: "key", name: "nowhere", held: null, problem: { error: "There is no profile nowhere.", code: NO_PROFILE } });
    feed.go(routeOf(`#/${page}/work`));
    expect([feed.view.page, feed.view.name, feed.view.problem]).toEqual([page, "work", null]);
  });

  it.each(["key", "account"])("may be one, which is not shown for another (%s)", async (page) => {
    server = new Map([["home", null]]);
    server.set("home", of("home", 1, 7));
    feed.go(routeOf(`#/${page}/`));
    await feed.start(false);
    expect(feed.view).toMatchObject({ held: null, problem: { error: "There is no profile from the environment." } });
    feed.go(routeOf(`#/${page}/home`));
    expect([feed.view.page, feed.view.name, feed.view.problem]).toEqual([page, "home", null]);
  });

  it("are asked about together while the tab is hidden", async () => {
    await feed.start(true);
    await settle();
    asked = [];
    server.set("work", of("work", 9, 5));
    timers.at(-1)?.();
    await settle();
    expect(asked).toEqual(["profiles"]);
    expect(known()[0]).toBe("work 5");
  });

  it("are listed anew when the server has others", async () => {
    await feed.start(false);
    await settle();
    server = new Map(server);
    server.set("new", null);
    server.delete("");
    server.set("extra", null);
    send(of("home", 3, 30));
    await settle();
    expect(known()).toEqual(["work 10", "home 20", "new -", "extra -"]);
  });

  it("become one when the server has only one any more", async () => {
    await feed.start(false);
    await settle();
    server = new Map([["home", null]]);
    server.set("home", of("home", 1, 7));
    send(server.get("home") as Envelope);
    await settle();
    expect([feed.view.page, feed.view.name, feed.view.held?.balance.spendable]).toEqual(["key", "home", 7]);
  });
});

describe("many envelopes at once", () => {
  it("are shown once, before the window is drawn, and are not lost", async () => {
    await feed.start(false);
    await settle();
    const before = feed.view;
    told = 0;
    for (let at = 0; at < 1000; at += 1) send(of(["work", "home", ""][at % 3] as string, 10 + at, at));
    expect(told).toBe(0);
    draw();
    expect(told).toBe(1);
    expect(known()).toEqual(["work 999", "home 997", " 998"]);
    expect([...before.profiles.values()].map(({ held }) => held?.balance.spendable)).toEqual([10, 20, undefined]);
  });

  it("do not copy what is known for each of them", async () => {
    await feed.start(false);
    await settle();
    send(of("work", 10, 1));
    const first = Reflect.get(feed, "unseen") as unknown;
    send(of("home", 11, 2));
    expect(Reflect.get(feed, "unseen")).toBe(first);
    expect(known()).toEqual(["work 1", "home 2", " -"]);
    send(of("work", 12, 3));
    expect(Reflect.get(feed, "unseen")).not.toBe(first);
  });

  it("that say again what is known leave it as it is", async () => {
    await feed.start(false);
    await settle();
    const { profiles } = feed.view;
    send(server.get("work") as Envelope);
    draw();
    expect(feed.view.profiles).toBe(profiles);
  });

  it("do not undo an answer that is newer, nor does an older answer undo them", async () => {
    await feed.start(false);
    await settle();
    server.set("work", of("work", 5, 55));
    const asking = feed.refresh();
    send(of("work", 20, 77));
    await asking;
    expect(known()[0]).toBe("work 77");
  });
});

describe("a server that was restarted", () => {
  it("is asked once or twice, however many profiles send a lower number, and its answer holds", async () => {
    server.set("work", of("work", 101, 10)).set("home", of("home", 102, 20)).set("", of("", 103, 30));
    await feed.start(false);
    await settle();
    asked = [];
    server.set("work", of("work", 1, 1)).set("home", of("home", 2, 2)).set("", of("", 3, 3));
    for (let at = 0; at < 30; at += 1) for (const one of server.values()) send(one as Envelope);
    await settle();
    await settle();
    expect(asked).toEqual(["profiles", "profiles"]);
    expect(known()).toEqual(["work 1", "home 2", " 3"]);
    send(of("work", 4, 4));
    expect(known()[0]).toBe("work 4");
  });
});

describe("a refresh", () => {
  beforeEach(async () => {
    await feed.start(false);
    await settle();
    asked = [];
  });

  it("asks about the key of the page", async () => {
    feed.go(routeOf("#/key/home"));
    await feed.refresh();
    expect(asked).toEqual(["refresh home", "snapshot home"]);
  });

  it("asks about every key of the table, whether or not one fails", async () => {
    await feed.refresh();
    expect(asked).toEqual(["refresh work", "refresh home", "refresh ", "profiles"]);
    expect(MOST_REFRESHED).toBe(100);
  });
});

describe("an account", () => {
  const hasAccount = (name: string) => server.set(name, of(name, 5, 1, { hasAccount: true }));

  it("is shown of the profile that the address names, else of the first that has one", async () => {
    hasAccount("home");
    hasAccount("work");
    feed.go(routeOf("#/account"));
    await feed.start(false);
    await settle();
    expect([feed.view.page, feed.view.name]).toEqual(["account", "home"]);
    feed.go(routeOf("#/account/work"));
    expect([feed.view.page, feed.view.name]).toEqual(["account", "work"]);
  });

  it("says itself what is missing where no management key is known", async () => {
    feed.go(routeOf("#/account"));
    await feed.start(false);
    await settle();
    expect([feed.view.page, feed.view.account]).toEqual(["account", null]);
  });

  it("is offered on the table by any profile that has one, on a key's page by that key alone", async () => {
    hasAccount("work");
    await feed.start(false);
    feed.retry();
    await settle();
    expect(feed.view.account).toBe("work");
    feed.go(routeOf("#/key/work"));
    expect(feed.view.account).toBe("work");
    feed.go(routeOf("#/key/home"));
    expect(feed.view.account).toBeNull();
  });
});
