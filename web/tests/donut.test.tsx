// @vitest-environment happy-dom
// The ring in a simulated document: its parts, its tooltip and its legend.

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { arcs, Donut } from "../src/donut";
import type { Budget } from "../src/generated";
import { balance, budget } from "./balances";

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
});

afterEach(() => {
  render(null, root);
  root.remove();
});

async function show(changes: Partial<Budget> = {}): Promise<void> {
  const one = budget(changes);
  await act(() => render(<Donut balance={balance({ budgets: [one] })} budget={one} />, root));
}

const find = (name: string) => root.querySelector<HTMLElement>(`[data-testid="${name}"]`);
const parts = () => [...root.querySelectorAll<SVGElement>(".donut-part")];
const on = (element: Element | null | undefined, event: string) =>
  act(() => void element?.dispatchEvent(new Event(event, { bubbles: event === "click" })));

describe("the ring", () => {
  it("shows what was used and what remains, from the top, with the percent left in the middle", async () => {
    await show({ limit: 100, spent: 25, remaining: 75, percentRemaining: 75 });
    expect(find("donut-percent")?.textContent).toBe("75.0%");
    expect(find("donut")?.dataset["colour"]).toBe("green");
    expect(root.querySelector("svg")?.getAttribute("aria-label")).toBe("$25.00 used and $75.00 remaining of $100.00; 75.0% left.");
    expect(parts().map((part) => part.dataset["colour"])).toEqual(["used", "green"]);
    const lengths = parts().map((part) => Number.parseFloat(part.getAttribute("stroke-dasharray") ?? ""));
    expect(lengths[0]).toBeCloseTo(25, -0.5);
    expect(lengths[1]).toBeCloseTo(75, -0.5);
  });

  it("has no part for what is overdrawn, and none for a limit of zero", () => {
    const both = { Used: true, Remaining: true };
    expect(arcs({ spent: 25, remaining: 75 }, both)).toEqual([
      { name: "Used", amount: 25, start: 0, share: 25 },
      { name: "Remaining", amount: 75, start: 25, share: 75 },
    ]);
    expect(arcs({ spent: 110, remaining: -10 }, both)).toEqual([{ name: "Used", amount: 110, start: 0, share: 100 }]);
    expect(arcs({ spent: 0, remaining: 0 }, both)).toEqual([]);
    expect(arcs({ spent: -5, remaining: 10 }, both)).toEqual([{ name: "Remaining", amount: 10, start: 0, share: 100 }]);
  });

  it("says in its legend what is overdrawn", async () => {
    await show({ remaining: -1.2, spent: 501.2, percentRemaining: -0.2 });
    expect(find("legend-remaining")?.textContent).toBe("Remaining-$1.20");
    expect(find("donut")?.dataset["colour"]).toBe("red");
    expect(parts()).toHaveLength(1);
  });

  it("has a tooltip in dollars on both parts", async () => {
    await show();
    expect(find("tooltip")).toBeNull();
    await on(parts()[0], "mouseenter");
    expect(find("tooltip")?.textContent).toBe("Used: $341.39");
    await on(parts()[0], "mouseleave");
    await on(parts()[1], "mouseenter");
    expect(find("tooltip")?.textContent).toBe("Remaining: $158.61");
    await on(parts()[1], "mouseleave");
    expect(find("tooltip")).toBeNull();
  });

  it("is highlighted from its legend, by pointer and by focus", async () => {
    await show();
    for (const [begin, end] of [["mouseenter", "mouseleave"], ["focus", "blur"]] as const) {
      await on(find("legend-remaining"), begin);
      expect(parts().map((part) => part.classList.contains("lit"))).toEqual([false, true]);
      expect(find("tooltip")?.textContent).toBe("Remaining: $158.61");
      await on(find("legend-remaining"), end);
      expect(find("tooltip")).toBeNull();
    }
  });

  it("gives all its room to the other part where one is toggled off", async () => {
    await show();
    await on(find("legend-remaining"), "click");
    expect(find("legend-remaining")?.getAttribute("aria-pressed")).toBe("false");
    expect(parts().map((part) => part.dataset["colour"])).toEqual(["used"]);
    expect(parts()[0]?.getAttribute("stroke-dasharray")).toBe("100 0");
    await on(find("legend-used"), "click");
    expect(parts()).toEqual([]);
    await on(find("legend-remaining"), "click");
    await on(find("legend-used"), "click");
    expect(parts()).toHaveLength(2);
  });
});
