// The notice above the numbers when something is wrong, and the card in their place while there are none.

import type { ComponentChildren } from "preact";
import { age, documentNow, type Held } from "./clock";
import { ageInWords, capitalized, openEnded, timeOfDay } from "./format";
import type { Runaway } from "./generated";
import { runawayInWords } from "./words";
import type { View } from "./state";
import { useDocumentNow, useNow } from "./ticking";

/** At most one notice: without an answer of orcredit nothing is known of OpenRouter. */
export function Notices({ view }: { view: View }) {
  const { held, problem, unreachable } = view;
  if (unreachable !== null) {
    return (
      <Notice name="unreachable">
        This page cannot reach orcredit: {unreachable}. It keeps trying. {held !== null && <From held={held} />}
      </Notice>
    );
  }
  if (problem !== null && problem.code !== "starting") {
    return (
      <Notice name="problem" isBad={held === null}>
        <strong>{openEnded(problem.error)}.</strong> {problem.hint} {held !== null && <From held={held} />}
      </Notice>
    );
  }
  if (held?.balance.stale === true) {
    return (
      <Notice name="stale">
        <Stale held={held} />
      </Notice>
    );
  }
  return null;
}

/** Before the first answer. */
export function FirstLoad({ view }: { view: View }) {
  const isWrong = view.unreachable !== null || (view.problem !== null && view.problem.code !== "starting");
  return (
    <section class="card first-load" data-testid="loading" aria-busy={!isWrong}>
      <h2>Can spend</h2>
      <p class="amount">–</p>
      <p class="soft">
        {isWrong ? "Not known yet." : view.problem !== null ? "Asking OpenRouter…" : "Asking orcredit…"}
      </p>
    </section>
  );
}

function Notice({ name, isBad, children }: { name: string; isBad?: boolean; children: ComponentChildren }) {
  return (
    <p class={isBad === true ? "notice bad" : "notice"} data-testid={name}>
      {children}
    </p>
  );
}

/** What is spent so fast that it is gone within hours. */
export function RunawayNotice({ runaway, held }: { runaway: Runaway; held: Held }) {
  const now = useDocumentNow(held);
  return (
    <Notice name="runaway" isBad>
      <strong>{capitalized(runawayInWords(runaway, now))}.</strong>
    </Notice>
  );
}

function Stale({ held }: { held: Held }) {
  const waited = ageInWords(age(held, useNow()));
  const reason = openEnded(held.balance.staleReason ?? "why is not known");
  return (
    <>
      OpenRouter has not answered for {waited}: {reason}. The numbers are from {from(held)}.
    </>
  );
}

function From({ held }: { held: Held }) {
  const passed = ageInWords(age(held, useNow()));
  return (
    <>
      The numbers are from {from(held)}, {passed} ago.
    </>
  );
}

function from(held: Held): string {
  return timeOfDay(held.balance.fetchedAt, documentNow(held, Date.now()));
}
