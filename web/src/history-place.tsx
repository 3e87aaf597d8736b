// The chart's card; its code is loaded after the first draw, into the room that is kept for it.

import "./history-place.css";
import type { Held } from "./clock";
import { useLater } from "./later";

export interface Shown {
  held: Held;
  isOld: boolean;
  isWall: boolean;
}

/** The history is asked for while the chart's code, which is much larger, arrives. */
const load = async ({ held, isWall }: Shown) => {
  const arriving = import("./chart/panel");
  const { askAhead, firstRange } = await import("./history-feed");
  askAhead(firstRange(isWall), held);
  return (await arriving).HistoryPanel;
};

export function HistoryPlace(shown: Shown) {
  const panel = useLater(load, shown);
  return (
    <section class={shown.isWall ? "card history wall" : "card history"} data-testid="history">
      {panel !== null && panel !== "failed" ? (
        <panel.Part {...shown} />
      ) : (
        <>
          <h2>Left and spent</h2>
          <p class="soft">{panel === "failed" ? "The chart could not be loaded. Reload the page to try again." : "Loading…"}</p>
        </>
      )}
    </section>
  );
}
