// The history's card; its code and charts are loaded after the first draw.

import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Held } from "./clock";

type Panel = FunctionComponent<{ held: Held }>;

export function HistoryPlace({ held }: { held: Held }) {
  const [panel, setPanel] = useState<{ Panel: Panel } | null>(null);
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    import("./history/history").then(
      (module) => setPanel({ Panel: module.HistoryPanel }),
      () => setFailed(true),
    );
  }, []);
  return (
    <section class="card whole history" data-testid="history">
      {panel !== null ? (
        <panel.Panel held={held} />
      ) : (
        <>
          <h2>History</h2>
          <p class={hasFailed ? "soft" : "soft room"}>
            {hasFailed ? "The charts could not be loaded. Reload the page to try again." : "Loading…"}
          </p>
        </>
      )}
    </section>
  );
}
