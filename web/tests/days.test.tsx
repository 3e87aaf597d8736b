// @vitest-environment happy-dom
// When the days of the table's sparklines are asked for.

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import { useDays } from "../src/keys/days";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function Shown() {
  return <p>{useDays()?.get("home")?.join() ?? "none"}</p>;
}

it("are asked for again a minute after a failure, and ten minutes after an answer", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] });
  let asked = 0;
  vi.stubGlobal("fetch", async () => {
    asked += 1;
    if (asked === 1) return Response.json({ error: "The history takes long to answer.", code: "history_unavailable", hint: "" }, { status: 503 });
    return Response.json({ since: "", until: "", profiles: [{ profile: "home", days: [1, 2] }] });
  });
  const root = document.createElement("div");
  const pass = (milliseconds: number) => act(async () => void (await vi.advanceTimersByTimeAsync(milliseconds)));
  await act(() => render(<Shown />, root));
  await pass(1);
  expect([asked, root.textContent]).toEqual([1, "none"]);
  await pass(90_000);
  expect([asked, root.textContent]).toEqual([2, "1,2"]);
  await pass(480_000);
  expect(asked).toBe(2);
  await pass(180_000);
  expect(asked).toBe(3);
  render(null, root);
});
