// What stands above the numbers when something is wrong, and in their place while there are none.

import type { ComponentChildren } from "preact";
import { age, documentNow, type Held } from "./clock";
import { ageInWords, openEnded, timeOfDay } from "./format";
import type { Known } from "./stream";
import { useNow } from "./ticking";

/** One notice at most: the one nearest to the reader, since what lies behind it cannot be known. */
export function Notices({ known }: { known: Known }) {
  const { held, problem, unreachable } = known;
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
export function FirstLoad({ known }: { known: Known }) {
  const isTrouble = known.unreachable !== null || (known.problem !== null && known.problem.code !== "starting");
  return (
    <section class="card first-load" data-testid="loading" aria-busy={!isTrouble}>
      <h2>Can spend</h2>
      <p class="amount">–</p>
      <p class="soft">
        {isTrouble ? "Not known yet." : known.problem !== null ? "Asking OpenRouter…" : "Asking orcredit…"}
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
