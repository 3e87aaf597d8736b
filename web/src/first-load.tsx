// What stands in the numbers' place before the first answer, and while there is none.

import { useLater } from "./later";
import type { View } from "./state";

export function FirstLoad({ view }: { view: View }) {
  const { problem, unreachable } = view;
  if (unreachable !== null || (problem !== null && problem.code !== "starting")) return <FailurePlace view={view} />;
  return (
    <section class="card strip first-load" data-testid="loading" aria-busy="true">
      <div class="cell spendable">
        <h2 class="soft">Can spend now</h2>
        <p class="amount">–</p>
        <p class="soft">{problem !== null ? "Asking OpenRouter…" : "Asking orcredit…"}</p>
      </div>
    </section>
  );
}

const loadFailure = () => import("./notices").then((module) => module.Failure);

/** What to do about it is long, and rarely needed; it is loaded from the server that has sent the page. */
function FailurePlace({ view }: { view: View }) {
  const failure = useLater(loadFailure, { view });
  if (failure !== null && failure !== "failed") return <failure.Part view={view} />;
  return <p class="card">{view.unreachable === null ? view.problem?.error : `orcredit cannot be reached: ${view.unreachable}.`}</p>;
}
