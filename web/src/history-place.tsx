// The chart's card; its code is loaded after the first draw, into the room that is kept for it.

import "./history-place.css";
import type { Held } from "./clock";
import { useLater } from "./later";

export interface Shown {
  held: Held;
  isOld: boolean;
  isWall: boolean;
}

const load = () => import("./chart/panel").then((module) => module.HistoryPanel);

export function HistoryPlace(shown: Shown) {
  const panel = useLater<Shown>(load);
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
