// The order of rows, and which of them are counted and found.

import { describe, expect, it } from "vitest";
import { type Column, counted, found, inOrder, type KeyRow, WORST } from "../src/keys/row";
import { lineOf } from "../src/keys/sparkline";
import { left, row } from "./keys";

const names = (rows: readonly KeyRow[]) => rows.map(({ name }) => name).join(" ");

describe("the order", () => {
  it("begins with the worst, as `orcredit status --all` does", () => {
    const rows = [
      row("disabled", { status: "disabled" }),
      row("unlimited", { status: "unlimited", left: null }),
      left("half", "ok", 50),
      left("third", "ok", 33),
      left("hurried", "ok", 80, { needsAttention: true }),
      left("runaway", "ok", 90, { isRunaway: true }),
      left("low runaway", "low", 9.5, { isRunaway: true }),
      left("half, sooner", "ok", 50, { endsAt: 5 }),
      row("no percentage, but an end", { left: null, endsAt: 5 }),
      row("configuration", { status: "configuration" }),
      left("low", "low", 9),
      row("unread", { status: "unread" }),
      left("overspent", "exhausted", -3),
      left("exhausted", "exhausted", 0),
      row("refused", { status: "refused" }),
    ];
    expect(inOrder(rows, WORST).map(({ name }) => name)).toEqual([
      ...["configuration", "refused", "overspent", "exhausted", "unread", "low runaway", "low", "runaway", "hurried"],
      ...["third", "half, sooner", "half", "no percentage, but an end", "unlimited", "disabled"],
    ]);
  });

  it("has equals in the order of their names, of which 10 comes after 9", () => {
    expect(names(inOrder([row("key-10"), row("Key-9"), row("a")], WORST))).toBe("a Key-9 key-10");
    expect(names(inOrder([row("key-10"), row("Key-9"), row("a")], { by: "name", isReversed: true }))).toBe("key-10 Key-9 a");
  });

  it("has the unnamed profile before its equals", () => {
    expect(names(inOrder([row("agent"), row("from the environment", { id: "" })], WORST))).toBe("from the environment agent");
  });

  it.each<[Column, string, string]>([
    ["spendable", "little much none", "much little none"],
    ["left", "little much none", "much little none"],
    ["today", "much little none", "little much none"],
    ["days", "much little none", "little much none"],
    ["end", "little much none", "much little none"],
    ["age", "much little none", "little much none"],
  ])("is that of the column %s, what is not known at the end either way", (by, first, reversed) => {
    const rows = [
      row("none", { spendable: null, left: null, today: null, days: [null, null], endsAt: null, freshAt: null }),
      left("much", "ok", 90, { today: 9, days: [9, null], endsAt: Infinity, freshAt: 2000 }),
      left("little", "ok", 5, { today: 0, days: [1, 2], endsAt: 5, freshAt: 1000 }),
    ];
    expect(names(inOrder(rows, { by, isReversed: false }))).toBe(first);
    expect(names(inOrder(rows, { by, isReversed: true }))).toBe(reversed);
  });
});

describe("counts and search", () => {
  const rows = [
    left("work", "exhausted", 0, { detail: "sk-or-v1-abc...def" }),
    row("home", { status: "refused" }),
    row("shop", { status: "unread", detail: "Team A" }),
    row("docs bot", { detail: "Team A" }),
  ];

  it("counts a runaway by its level, and as a runaway", () => {
    const running = [...rows, row("night", { isRunaway: true })];
    expect(counted(running).map(({ word, count }) => `${count} ${word}`)).toEqual(["1 exhausted", "2 failed", "1 runaway", "2 ok"]);
    expect(names(found(running, ["runaway"], ""))).toBe("night");
    expect(names(found(running, ["runaway", "ok"], ""))).toBe("docs bot night");
  });

  it("counts each group, the worst first, and leaves out what there is none of", () => {
    expect(counted(rows).map(({ id, count }) => `${count} ${id}`)).toEqual(["1 exhausted", "2 failed", "1 ok"]);
  });

  it.each([
    [[], "", "work home shop docs bot"],
    [["failed"], "", "home shop"],
    [["exhausted", "ok"], "", "work docs bot"],
    [[], "team a", "shop docs bot"],
    [[], "  BOT docs ", "docs bot"],
    [["failed"], "team", "shop"],
    [[], "none", ""],
  ])("finds in the groups %j the words %j", (groups, words, expected) => {
    expect(names(found(rows, groups, words))).toBe(expected);
  });
});

describe("the line of some days", () => {
  it("is interrupted where a day is not known, and shows a day alone as a dot", () => {
    expect(lineOf([1, null, 0, 2], 2)).toBe("M1 10h2M55.3 18L82 2");
  });

  it("lies on the ground where nothing was spent", () => {
    expect(lineOf([0, 0], 0)).toBe("M2 18L82 18");
  });
});
