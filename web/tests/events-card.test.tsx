// @vitest-environment happy-dom
// The card of events in a simulated document.

import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { hold } from "../src/clock";
import { Events } from "../src/events";
import { balance, FETCHED_AT } from "./balances";

const HELD = hold(balance(), 0, Date.now());
const EVENT = { at: FETCHED_AT, kind: "back", text: "OpenRouter answers again", isWorse: false };

async function said(shown: Pick<Parameters<typeof Events>[0], "recorded" | "whyNot" | "live">): Promise<string> {
  const root = document.createElement("div");
  await act(() => render(<Events held={HELD} {...shown} />, root));
  const text = root.textContent;
  render(null, root);
  return text;
}

it("says that nothing has happened only where the history says so", async () => {
  expect(await said({ recorded: [], whyNot: null, live: [] })).toContain("Nothing has happened yet");
  expect(await said({ recorded: null, whyNot: null, live: [] })).toContain("Loading…");
  const whyNot = "The history cannot be read.";
  expect(await said({ recorded: null, whyNot, live: [] })).toContain(whyNot);
  expect(await said({ recorded: null, whyNot, live: [EVENT] })).toContain("OpenRouter answers again");
});
