// The whole page, top to bottom: header, notices, the numbers, history, footer.
//
// Hooks for end-to-end tests (data-testid), stable:
//   amount            what can still be spent: "$158.61", "no limit on this key" or "free models only"
//   level             ok, low, exhausted or "no known limit" (its data-level is the level)
//   limited-by        "limited by the key limit"
//   warning           the sentence of a low or exhausted budget; absent while all is well
//   expiry            the note on a key that ends soon or has ended
//   account-note      what is not known of the account's credit, and why
//   updated           "Updated 14:02:11 CET · 10 s ago"
//   stale             the notice that OpenRouter does not answer (the document is stale)
//   problem           the server's own error, and its hint; with or without numbers below it
//   unreachable       the notice that this page cannot reach orcredit
//   runaway           the notice that money is spent so fast that it is gone within hours
//   loading           before the first answer
//   used              what was used of that budget in this period
//   bar               the meter of the budget that limits the key (data-colour: green, yellow, red)
//   limit, resets, remaining, percent    that budget in words
//   donut, donut-percent, legend-used, legend-remaining, tooltip
//   budget-<scope>     a budget of the list; budget-account_credit for the account; the key's own when it is the only one
//   pace, per-day, right-now, runs-out, lasts, affordable, projected
//   usage-daily, usage-weekly, usage-monthly, usage-all-time
//   byok (byok-daily ...), free-requests   only when there are any
//   history, range-24h, range-7d, range-30d, range-all, csv, history-note
//   history-chart, history-spend            the figures; history-chart-table, history-spend-table their tables
//   recent-hour, recent-day, recent-week, recent-account, recent-unseen
//   theme-switch, refresh, login, login-error, logout, zone, key, announcement

import { useEffect, useRef, useState } from "preact/hooks";
import { REFRESHED, whatChanged } from "./announce";
import { fetchSession, logOut } from "./api";
import { hasBudgets, Budgets } from "./budgets";
import type { Held } from "./clock";
import { Donut } from "./donut";
import { Footer } from "./footer";
import type { Rate, Runaway, Session } from "./generated";
import { Header } from "./header";
import { HistoryPlace } from "./history-place";
import { isFreeOnly, limitingBudget } from "./words";
import { Login } from "./login";
import { FirstLoad, Notices, RunawayNotice } from "./notices";
import { PaceCard } from "./pace";
import { isOld, type View } from "./state";
import type { Feed } from "./stream";
import { Summary } from "./summary";
import { Byok, FreeRequests, Usage } from "./usage";

export function App({ feed }: { feed: Feed }) {
  const view = useView(feed);
  const announcement = useAnnouncement(view);
  const [session, setSession] = useState<Session | null>(null);
  const isLoginNeeded = view.isLoginNeeded;
  const isDrawn = view.held !== null || view.problem !== null;

  useEffect(() => {
    // After the first draw, since it is only for the logout button.
    if (isDrawn && !isLoginNeeded) fetchSession().then(setSession, () => undefined);
  }, [isDrawn, isLoginNeeded]);

  const leave = async () => {
    await logOut();
    feed.loggedOut();
  };

  return (
    <>
      <Header
        isRefreshing={view.isRefreshing}
        onRefresh={isLoginNeeded ? null : () => void feed.refresh()}
        onLogOut={!isLoginNeeded && session?.loginRequired === true ? leave : null}
      />
      <main>
        {isLoginNeeded ? (
          <Login onLogIn={() => void feed.loggedIn()} />
        ) : (
          <>
            <Notices view={view} />
            {view.held === null ? (
              <FirstLoad view={view} />
            ) : (
              <>
                {view.runaway !== null && !isOld(view) && <RunawayNotice runaway={view.runaway} held={view.held} />}
                <Numbers held={view.held} rate={view.rate} runaway={view.runaway} isOld={isOld(view)} />
              </>
            )}
          </>
        )}
      </main>
      {(isDrawn || isLoginNeeded || view.unreachable !== null) && <Footer held={view.held} />}
      <p class="unseen" role="status" aria-live="polite" data-testid="announcement">
        {announcement}
      </p>
    </>
  );
}

interface Shown {
  held: Held;
  rate: Rate | null;
  runaway: Runaway | null;
  isOld: boolean;
}

function Numbers({ held, rate, runaway, isOld }: Shown) {
  const { balance } = held;
  const budget = limitingBudget(balance);
  const isListed = hasBudgets(balance);
  const pace = <PaceCard held={held} rate={isOld ? null : rate} runaway={isOld ? null : runaway} />;
  const usage = <Usage balance={balance} />;
  return (
    <div class={isOld ? "cards old" : "cards"}>
      <Summary held={held} budget={budget} />
      {budget !== null && <Donut balance={balance} budget={budget} />}
      {isListed && <Budgets held={held} />}
      {(budget !== null) === isListed ? (
        // One cell is left in the row: both go there, one above the other.
        <div class="stack">
          {pace}
          {usage}
        </div>
      ) : (
        <>
          {pace}
          {usage}
        </>
      )}
      <Byok balance={balance} />
      {!isFreeOnly(balance) && <FreeRequests balance={balance} />}
      <HistoryPlace held={held} />
    </div>
  );
}

function useView(feed: Feed): View {
  const [view, setView] = useState(feed.view);
  useEffect(() => {
    setView(feed.view);
    return feed.subscribe(() => setView(feed.view));
  }, [feed]);
  return view;
}

function useAnnouncement(view: View): string {
  const before = useRef(view);
  const hasSaidSince = useRef(false);
  const [said, say] = useState("");
  useEffect(() => {
    if (view.isRefreshing && !before.current.isRefreshing) hasSaidSince.current = false;
    const sentence = whatChanged(before.current, view);
    before.current = view;
    // The stream may announce the refresh's result first; "Refreshed." must not replace that.
    if (sentence === null || (sentence === REFRESHED && hasSaidSince.current)) return;
    hasSaidSince.current = true;
    say(sentence);
  }, [view]);
  return said;
}
