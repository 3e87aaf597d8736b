// What is wrong, and what to do: at the window's lower edge, so that nothing moves when it comes; and what stands in the
// numbers' place when there are none.

import type { ComponentChildren } from "preact";
import { age, documentNow, type Held } from "./clock";
import { ageInWords, duration, openEnded, timeOfDay } from "./format";
import { Linked } from "./linked";
import { HOME } from "./route";
import { NO_PROFILE, type View } from "./state";
import { useNow } from "./ticking";
import "./styles/later.css";

const KEYS = "https://openrouter.ai/settings/keys";

/** At most one notice: without an answer of orcredit nothing is known of OpenRouter. */
export function Notices({ view }: { view: View }) {
  const { held, problem, unreachable } = view;
  if (held === null && view.page === "key") return null;
  if (unreachable !== null) {
    return (
      <Notice name="unreachable">
        <strong>orcredit cannot be reached:</strong> {unreachable}. <Restart /> {held !== null && <From held={held} />}
      </Notice>
    );
  }
  if (problem !== null && problem.code !== "starting") {
    return (
      <Notice name="problem">
        <strong>{openEnded(problem.error)}.</strong> <Linked text={problem.hint} /> {held !== null && <From held={held} />}
      </Notice>
    );
  }
  if (held?.balance.stale === true) {
    return (
      <Notice name="stale">
        <Stale held={held} dueAt={view.dueAt} />
      </Notice>
    );
  }
  return null;
}

/** In the numbers' place. */
export function Failure({ view }: { view: View }) {
  const { problem, unreachable } = view;
  if (unreachable !== null) {
    return (
      <Obstacle name="unreachable" title="orcredit cannot be reached">
        <p>{unreachable.charAt(0).toUpperCase() + unreachable.slice(1)}.</p>
        <p>
          <Restart />
        </p>
      </Obstacle>
    );
  }
  if (problem !== null && problem.code !== "starting") {
    return (
      <Obstacle name="problem" title={`${openEnded(problem.error)}.`}>
        {problem.hint !== "" && (
          <p>
            <Linked text={problem.hint} />
          </p>
        )}
        {problem.code === "refused" && !problem.hint.includes(KEYS) && (
          <p>
            Keys are made at <Linked text={KEYS} />.
          </p>
        )}
        {problem.code === NO_PROFILE && (
          <p>
            <a href={HOME}>{view.profileCount > 1 ? "All keys" : "The key"}</a>
          </p>
        )}
        <NextTry dueAt={view.dueAt} />
      </Obstacle>
    );
  }
  return null;
}

function Obstacle({ name, title, children }: { name: string; title: string; children: ComponentChildren }) {
  return (
    <section class="card obstacle" data-testid={name}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Notice({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <aside class="notices" aria-label="What is wrong">
      <p data-testid={name}>{children}</p>
    </aside>
  );
}

function Restart() {
  return (
    <>
      Start it again with <code>orcredit serve</code>; this page keeps trying.
    </>
  );
}

function NextTry({ dueAt }: { dueAt: number | null }) {
  const now = useNow();
  if (dueAt === null) return null;
  return <p class="soft">{dueAt - now >= 1000 ? `Next try in ${duration(dueAt - now)}.` : "Asking again now."}</p>;
}

function Stale({ held, dueAt }: { held: Held; dueAt: number | null }) {
  const now = useNow();
  const waited = ageInWords(age(held, now));
  const reason = openEnded(held.balance.staleReason ?? "why is not known");
  const next = dueAt === null || dueAt - now < 1000 ? "Asking again now." : `Next try in ${duration(dueAt - now)}.`;
  return (
    <>
      <strong>OpenRouter has not answered for {waited}:</strong> <Linked text={reason} />. The numbers are from {from(held)}. {next}
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
