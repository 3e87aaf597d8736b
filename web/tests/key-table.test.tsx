// @vitest-environment happy-dom
// The table of keys in a simulated document.

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Column, KeyRow } from "../src/keys/row";
import { KeyTable } from "../src/keys/table";
import { left, row } from "./keys";

const COLUMNS: Column[] = ["status", "name", "spendable", "left", "today", "days", "end", "age"];

let root: HTMLElement;
/** Each test's table is another one, which keeps nothing of those before. */
let tables = 0;

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
  tables += 1;
});

afterEach(() => {
  render(null, root);
  root.remove();
  vi.useRealTimers();
});

async function show(rows: KeyRow[], columns = COLUMNS): Promise<void> {
  await act(() => render(<KeyTable title={`${rows.length} keys`} rows={rows} columns={columns} name={`${tables}`} />, root));
}

const all = (hook: string) => [...root.querySelectorAll<HTMLElement>(`[data-testid="${hook}"]`)];
const names = () => all("key-row").map((one) => one.querySelector("th")?.textContent);
const press = async (element: Element | null | undefined) => act(() => (element as HTMLElement).click());
const heading = (text: string) => [...root.querySelectorAll("thead th")].find((one) => one.textContent?.startsWith(text));

async function type(words: string): Promise<void> {
  const input = all("search")[0] as HTMLInputElement;
  input.value = words;
  await act(() => void input.dispatchEvent(new Event("input")));
}

const some = () => [left("home", "ok", 60), left("work", "low", 5), left("shop", "exhausted", 0), left("blog", "ok", 70)];
const many = (number: number) => Array.from({ length: number }, (_, at) => row(`key-${at}`));

describe("a row", () => {
  it("says everything in words, and links to the key's page", async () => {
    const end = () => ({ text: "in 3 h · resets 01:00", tone: "attention" as const });
    await show([left("night", "low", 4.2, { detail: "sk-or-v1-abc...def", days: [null, 3, 2], end, today: 9.58 })]);
    const cells = [...(all("key-row")[0]?.children ?? [])].map((cell) => cell.textContent);
    expect(cells).toEqual(["low", "night sk-or-v1-abc...def", "$4.20", "4.2%", "$9.58", "", "in 3 h · resets 01:00", "just now"]);
    expect(root.querySelector("[role=img]")?.getAttribute("aria-label")).toBe("2 of 3 days known, at most $3.00 a day, today $2.00");
    expect(root.querySelector("a")?.getAttribute("href")).toBe("#/key/night");
    expect(root.querySelector("[role=meter]")?.getAttribute("aria-valuetext")).toBe("$4.20 of $100.00 left, 4.2%");
  });

  it("says that money runs away, also of a low key", async () => {
    await show([left("night", "ok", 60, { isRunaway: true }), left("shop", "low", 4, { isRunaway: true })]);
    expect(all("key-row").map((one) => one.querySelector(".status")?.textContent)).toEqual(["low, runaway", "runaway"]);
    expect(all("key-row").map((one) => one.dataset.runaway)).toEqual(["true", "true"]);
    expect(all("chip-runaway")[0]?.textContent).toBe("2 runaway");
  });

  it("says why a key cannot be read, in grey, with what was known of it", async () => {
    await show([left("night", "refused", 4, { reason: "OpenRouter refused the key." })]);
    const shown = all("key-row")[0];
    expect(shown?.className).toBe("old");
    expect(shown?.textContent).toContain("failed");
    expect(shown?.textContent).toContain("$4.00");
    expect(shown?.querySelector(".end")?.textContent).toBe("OpenRouter refused the key.");
  });

  it("has no more columns than are wanted", async () => {
    await show(some(), ["name", "spendable"]);
    expect([...root.querySelectorAll("thead th")].map((one) => one.textContent)).toEqual(["Key", "Can spend"]);
    expect(all("key-row")[0]?.children.length).toBe(2);
  });
});

describe("the order", () => {
  it("begins with the worst; a column's name orders by it, and again the other way round", async () => {
    await show(some());
    expect(names()).toEqual(["shop", "work", "home", "blog"]);
    expect(heading("Status")?.getAttribute("aria-sort")).toBe("ascending");
    await press(heading("Key")?.querySelector("button"));
    expect(names()).toEqual(["blog", "home", "shop", "work"]);
    expect(heading("Status")?.getAttribute("aria-sort")).toBeNull();
    await press(heading("Key")?.querySelector("button"));
    expect(names()).toEqual(["work", "shop", "home", "blog"]);
    expect(heading("Key")?.getAttribute("aria-sort")).toBe("descending");
  });

  it("stays while no status changes, so that no row moves under the pointer, and is found anew after a while", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
    await show(some());
    const changed = () => some().map((one) => (one.name === "home" ? left("home", "ok", 90) : one));
    await show(changed());
    expect(names()).toEqual(["shop", "work", "home", "blog"]);
    expect(all("key-row")[2]?.textContent).toContain("90.0%");
    vi.setSystemTime(1_031_000);
    await show(changed());
    expect(names()).toEqual(["shop", "work", "blog", "home"]);
  });

  it("changes at once with a status", async () => {
    await show(some());
    await show(some().map((one) => (one.name === "blog" ? left("blog", "exhausted", -1) : one)));
    expect(names()).toEqual(["blog", "shop", "work", "home"]);
  });
});

describe("which rows are shown", () => {
  it("counts by level; a count shows its rows alone, pressed again all", async () => {
    await show(some());
    expect(all("keys")[0]?.querySelector(".chips")?.textContent).toBe("1 exhausted1 low2 ok");
    await press(all("chip-ok")[0]);
    expect(names()).toEqual(["home", "blog"]);
    expect(all("chip-ok")[0]?.getAttribute("aria-pressed")).toBe("true");
    await press(all("chip-low")[0]);
    expect(names()).toEqual(["work", "home", "blog"]);
    await press(all("chip-low")[0]);
    await press(all("chip-ok")[0]);
    expect(names()).toHaveLength(4);
  });

  it("shows all again when the last of what was chosen has become something else", async () => {
    await show(some());
    await press(all("chip-low")[0]);
    await show(some().map((one) => (one.name === "work" ? left("work", "ok", 90) : one)));
    expect(names()).toHaveLength(4);
  });

  it("are not those that cannot be used, unless their count is pressed", async () => {
    await show([left("home", "ok", 60), left("gone", "disabled", 60)]);
    expect(names()).toEqual(["home"]);
    expect(root.querySelector(".foot")?.textContent?.trim()).toBe("");
    await press(all("chip-disabled")[0]);
    expect(names()).toEqual(["gone"]);
    expect(root.querySelector(".foot")?.textContent?.trim()).toBe("1 of 1 that match");
  });

  it("searches names and details, and says when nothing matches", async () => {
    await show(some());
    await type("BLO");
    expect(names()).toEqual(["blog"]);
    await type("none");
    expect(names()).toEqual([]);
    expect(root.textContent).toContain("No key matches.");
    await press([...root.querySelectorAll("button")].find((one) => one.textContent === "Show all"));
    expect(names()).toHaveLength(4);
    expect((all("search")[0] as HTMLInputElement).value).toBe("");
  });

  it("shows 100 at a time, again the first hundred in another order, and keeps that while the page is open", async () => {
    await show(many(250));
    expect(names()).toHaveLength(100);
    expect(all("more")[0]?.textContent).toBe("Show 100 more");
    expect(root.textContent).toContain("100 of 250");
    await press(all("more")[0]);
    expect(all("more")[0]?.textContent).toBe("Show 50 more");
    await press(all("more")[0]);
    expect(names()).toHaveLength(250);
    expect(all("more")).toHaveLength(0);
    render(null, root);
    await show(many(250));
    expect(names()).toHaveLength(250);
    await press(heading("Key")?.querySelector("button"));
    expect(names()).toHaveLength(100);
  });
});

describe("thousands of rows that are no longer shown", () => {
  it("are taken away some hundred at a time", async () => {
    const frames: (() => void)[] = [];
    vi.stubGlobal("requestAnimationFrame", (act: () => void) => frames.push(act));
    await show(many(1250), ["name"]);
    for (let at = 0; at < 12; at += 1) await press(all("more")[0]);
    expect(names()).toHaveLength(1250);
    await press(heading("Key")?.querySelector("button"));
    const left = [names().length];
    while (frames.length > 0 && left.length < 9) {
      await act(() => frames.splice(0).forEach((draw) => draw()));
      if (names().length !== left.at(-1)) left.push(names().length);
    }
    vi.unstubAllGlobals();
    expect(left).toEqual([1250, 800, 300, 100]);
    expect(names()[0]).toBe("key-0");
  });
});

describe("rows far from the window", () => {
  let cross: ((isIntersecting: boolean) => void)[];

  beforeEach(() => {
    cross = [];
    vi.stubGlobal(
      "IntersectionObserver",
      class {
        constructor(told: (entries: { isIntersecting: boolean }[]) => void) {
          cross.push((isIntersecting) => told([{ isIntersecting }]));
        }
        observe() {}
        disconnect() {}
      },
    );
  });

  afterEach(() => vi.unstubAllGlobals());

  it("are not drawn again until they are near, unless they become others", async () => {
    await show(many(20));
    await act(() => cross[0]?.(false));
    await show(many(20).map((one) => ({ ...one, today: 7 })));
    expect(root.textContent).not.toContain("$7.00");
    await act(() => cross[0]?.(true));
    expect(root.textContent).toContain("$7.00");
    await act(() => cross[0]?.(false));
    await show(many(21).map((one) => ({ ...one, today: 8 })));
    expect(names()).toHaveLength(21);
  });
});
