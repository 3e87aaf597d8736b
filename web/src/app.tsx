// The whole page. Of one key, top to bottom: header, the strip, what was left and spent, every limit, the donut, events,
// notices. Of several: the table of keys, whose code is loaded later.
//
// Hooks for end-to-end tests (data-testid), stable:
//   key               whose key: the profile's name, the masked label
//   verdict           the header's sentence that sums up (its data-tone: good, attention, bad, plain)
//   live, updated     "Updated 14:02:11 CET · 10 s ago · next in 48 s"
//   amount            what can still be spent: "$158.61", "no limit on this key" or "free models only"
//   level             ok, low, exhausted or "no known limit" (its data-level is the level)
//   limited-by        "limited by the key limit"
//   bar               the meter of the budget that limits the key (data-colour: green, yellow, red)
//   percent, limit, used, resets, remaining (only when overspent), even-pace    that budget in words
//   warning           the sentence of a low or exhausted budget; absent while all is well
//   expiry            the note on a key that ends soon or has ended
//   account-note      what is not known of the account's credit, and why
//   runs-out, lasts, refused-until, key-expires, runaway, unknown-end    the strip's second cell, one of them
//   per-day, right-now, affordable     the pace
//   usage-daily, usage-weekly, usage-monthly, usage-all-time
//   history, range-24h ..., history-chart, point-tooltip, history-words, history-table, csv, history-note: the chart
//   recent-hour, recent-day, recent-week, recent-account, recent-unseen
//   budget-<scope>    a row of every limit; budget-account_credit for the account
//   donut, donut-percent, legend-used, legend-remaining, tooltip
//   events, event     what happened
//   byok (byok-daily ...), free-requests   only when there are any
//   stale, problem, unreachable    what is wrong; with numbers at the window's edge, else in their place
//   loading           before the first answer
//   keys              the table; key-row: a row of it (data-status; data-attention where it is amber)
//   chip-exhausted, chip-low, chip-ok, chip-unlimited, chip-failed ...   counts that filter; search; more: the next 100 rows
//   all-keys, account-link    the ways to the table and to the account, whose hooks account/page.tsx lists
//   theme-switch, refresh, profile, login, login-error, logout, zone, announcement

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { fetchSession, logOut } from "./api";
import type { Held } from "./clock";
import { FirstLoad } from "./first-load";
import { count } from "./format";
import type { Session, SnapshotEvent } from "./generated";
import { Age, Header } from "./header";
import { HistoryPlace } from "./history-place";
import { useLater } from "./later";
import { LaterPage, loadAccount, loadTable } from "./pages";
import { isOld, isSame, NO_PROFILE, type View } from "./state";
import { type Feed, MOST_REFRESHED } from "./stream";
import { Strip } from "./strip/strip";

interface Options {
  feed: Feed;
  /** Strip and chart alone, in large type. */
  isWall?: boolean;
}

export function App({ feed, isWall = false }: Options) {
  const view = useView(feed);
  const [session, setSession] = useState<Session | null>(null);
  const { isLoginNeeded } = view;
  const isDrawn = view.held !== null || view.problem !== null;
  const address = useRef(location.hash);

  useEffect(() => {
    // After the first draw, since it is only for the logout button.
    if (isDrawn && !isLoginNeeded) fetchSession().then(setSession, () => undefined);
  }, [isDrawn, isLoginNeeded]);

  const leave = async () => {
    await logOut();
    feed.loggedOut();
  };

  useEffect(() => {
    if (location.hash === address.current) return;
    address.current = location.hash;
    // The link that led here is no longer there. The table finds its place itself.
    if (view.page === "table") return;
    scrollTo(0, 0);
    const heading = document.querySelector("h1");
    if (heading === null) return;
    heading.tabIndex = -1; // else it could not be focused
    heading.focus();
  }, [view.page, view.name]);

  const isRefreshable = !isLoginNeeded && view.problem?.code !== NO_PROFILE && (view.page === "key" || view.profileCount <= MOST_REFRESHED);
  const header = (left?: ComponentChildren, onRefresh: (() => void) | null = isRefreshable ? () => void feed.refresh() : null) => (
    <Header view={view} onRefresh={onRefresh} onLogOut={!isLoginNeeded && session?.loginRequired === true ? leave : null}>
      {left}
    </Header>
  );

  let content: ComponentChildren;
  if (isLoginNeeded) content = <LoginPlace onLogIn={() => void feed.loggedIn()} />;
  else if (view.page === "table") content = <LaterPage load={loadTable} title={`${count(view.profileCount)} keys`} view={view} header={header} />;
  else if (view.page === "account") content = <LaterPage load={loadAccount} title="Account" view={view} header={header} />;
  else if (view.held === null) content = <FirstLoad view={view} />;
  else content = <Numbers key={view.name} view={view} held={view.held} isWall={isWall} />;

  return (
    <>
      {view.page === "key" ? (
        <>
          {!isWall && header()}
          <main class={view.held !== null && isOld(view) ? "old" : ""}>{content}</main>
        </>
      ) : (
        content
      )}
      <AfterwardsPlace view={view} />
    </>
  );
}

function Numbers({ view, held, isWall }: { view: View; held: Held; isWall: boolean }) {
  const areOld = isOld(view);
  const strip = <Strip held={held} rate={areOld ? null : view.rate} runaway={areOld ? null : view.runaway} />;
  const history = <HistoryPlace held={held} isOld={areOld} isWall={isWall} />;
  if (isWall) {
    return (
      <>
        <h1 class="unseen">orcredit</h1>
        {strip}
        {history}
        <Age view={view} />
      </>
    );
  }
  return (
    <>
      {strip}
      {history}
      <PartsPlace held={held} events={view.events} />
    </>
  );
}

const loadParts = () => import("./parts").then((module) => module.Parts);

function PartsPlace(shown: { held: Held; events: SnapshotEvent[] }) {
  const parts = useLater(loadParts, shown);
  if (parts === null) return null;
  if (parts === "failed") return <p class="soft">The limits and events could not be loaded. Reload the page to try again.</p>;
  return <parts.Part {...shown} />;
}

const loadAfterwards = () => import("./afterwards").then((module) => module.Afterwards);

function AfterwardsPlace(shown: { view: View }) {
  const afterwards = useLater(loadAfterwards, shown);
  return afterwards === null || afterwards === "failed" ? null : <afterwards.Part {...shown} />;
}

const loadLogin = () => import("./login").then((module) => module.Login);

function LoginPlace(shown: { onLogIn: () => void }) {
  const login = useLater(loadLogin, shown);
  if (login === null) return null;
  if (login === "failed") return <p>The login form could not be loaded. Reload the page to try again.</p>;
  return <login.Part {...shown} />;
}

function useView(feed: Feed): View {
  const [view, setView] = useState(feed.view);
  useEffect(() => {
    const take = () => setView((old) => (isSame(old, feed.view) ? old : feed.view));
    take();
    return feed.subscribe(take);
  }, [feed]);
  return view;
}
