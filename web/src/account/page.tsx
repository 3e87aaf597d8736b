// The account behind a management key: its credit, what was spent on what, and every key. A separate chunk.
//
// Hooks for end-to-end tests (data-testid), stable:
//   account           the whole; account-loading before the first answer
//   account-credit, account-lasts, account-next, account-spent    the strip's large values
//   account-chart, account-by-model, -key, -app, -provider, account-range-7, -30, -90, account-legend,
//   account-chart-table, account-csv, account-chart-note, point-tooltip    spend per day
//   account-models, account-all-models    the table of models
//   account-keys      every key: the table of keys with its own hooks; account-incomplete, above the strip, where some could not be had
//   account-problem   what is wrong, with a button to try again
//   account-stale     the keys are old

import { useEffect, useMemo, useState } from "preact/hooks";
import { Refusal } from "../api";
import { age, type Dated } from "../clock";
import { ageInWords, named, openEnded, timeOfDay, usd, zoneName } from "../format";
import type { AccountDocument, KeyDays, KeyList } from "../generated";
import { accountsOf, Age, Back, Choices, Ring } from "../header";
import { show } from "../icon";
import type { Column } from "../keys/row";
import { KeyTable } from "../keys/table";
import { Linked } from "../linked";
import { FirstLoad } from "../first-load";
import type { PageShown } from "../pages";
import { colourOf } from "../ring";
import { accountAddressOf } from "../route";
import type { Profiles } from "../state";
import { useNow } from "../ticking";
import { type Asked, isStarting, useAsked, wrong } from "./asked";
import { AccountFeed } from "./feed";
import { rowsOf } from "./keys";
import { Models } from "./models";
import { Problem } from "./problem";
import { type Choice, SpendCard } from "./spend";
import { AccountStrip, keysInWords } from "./strip";
import "../styles/later.css";
import "./account.css";

/** Seconds until the server is asked again where it does not say. */
const USUAL = 60;

/** Seconds until then while it still waits for what was spent. */
const SHORTLY = 3;

const nextIn = ({ nextPollIn, spent, spentError }: AccountDocument) =>
  spent === null && spentError === null ? SHORTLY : (nextPollIn ?? USUAL) + 1;

export function AccountPage({ view, header }: PageShown) {
  const { name } = view;
  const feed = useMemo(() => new AccountFeed(name ?? ""), [name]);
  const account = useAsked(name, feed.account, "", nextIn);
  const { at } = account;
  const accounts = accountsOf(view.profiles);
  // After a change of the address, what is known is of another account until its answer has come.
  const { answer, error } = account.key === name ? account : { answer: null, error: null };
  const dated = useMemo(() => (answer === null ? null : { balance: answer, freshAt: at - (answer.age ?? 0) * 1000 }), [answer]);
  const isOld = answer?.stale === true || error !== null || view.unreachable !== null;
  const level = answer?.credit.level ?? null;
  const ring = { colour: colourOf(isOld ? null : level, false), left: level === "exhausted" ? 0 : 100 };
  useEffect(() => show(`${answer?.credit.credit ? `${usd(answer.credit.credit.remaining)} · ` : ""}Account${isOld && answer !== null ? " (stale)" : ""} · orcredit`, ring));
  return (
    <>
      {header(
        <>
          <div class="whose">
            <Back {...(view.profileCount > 1 ? {} : { title: "Back to the key" })} />
            <Ring {...ring} />
            <h1>
              Account {name !== null && (name !== "" || view.profileCount > 1) && <span class="soft">{named(name)}</span>}
            </h1>
            <Choices label="Show another account" names={accounts} name={name} to={accountAddressOf} />
          </div>
          {answer !== null && dated !== null && (
            <AgeOf isLive={!isOld} dated={dated} dueAt={answer.nextPollIn === null ? null : at + answer.nextPollIn * 1000} />
          )}
        </>,
        null,
      )}
      <main class={isOld ? "account old" : "account"} data-testid="account">
        {answer !== null && dated !== null ? (
          <>
            {!answer.complete && (
              <p class="note amber" data-testid="account-incomplete">
                {keysInWords(answer.counts.total)} so far; others are missing: {openEnded(answer.incompleteReason ?? "why is not known")}.
              </p>
            )}
            <AccountStrip account={answer} held={dated} />
            <Parts key={name} account={answer} feed={feed} profiles={view.profiles} dated={dated} />
            <p class="foot soft" data-testid="zone">
              Times are in {zoneName()}; days are UTC’s.
            </p>
            {view.unreachable === null && <Notice account={answer} asked={account} dated={dated} />}
          </>
        ) : name === null ? (
          <FirstLoad view={view} />
        ) : error === null || isStarting(error) ? (
          <Waiting />
        ) : (
          <Obstacle asked={account} />
        )}
      </main>
    </>
  );
}

/** When OpenRouter told the keys, and when it is asked next. */
function AgeOf({ isLive, dated, dueAt }: { isLive: boolean; dated: Dated; dueAt: number | null }) {
  const { fetchedAt } = dated.balance;
  const held = { balance: { fetchedAt, stale: !isLive }, freshAt: dated.freshAt };
  return <Age view={{ held, dueAt, isLoginNeeded: false, problem: null, unreachable: null }} />;
}

function Waiting() {
  return (
    <section class="card strip first-load" data-testid="account-loading" aria-busy="true">
      <div class="cell">
        <h2 class="soft">Account’s credit</h2>
        <p class="amount">–</p>
        <p class="soft">Asking OpenRouter for every key…</p>
      </div>
    </section>
  );
}

/** In the place of everything. */
function Obstacle({ asked: { error, again } }: { asked: Asked<AccountDocument> }) {
  const [what, hint] = wrong(error);
  // What a key is not cannot be tried again.
  const isFinal = error instanceof Refusal && [403, 404].includes(error.status);
  return (
    <section class="card obstacle" data-testid="account-problem">
      <h2>{what}.</h2>
      {hint !== "" && (
        <p>
          <Linked text={hint} />
        </p>
      )}
      {!isFinal && (
        <p>
          <button type="button" class="button" onClick={again}>
            Try again
          </button>
        </p>
      )}
    </section>
  );
}

interface PartsShown {
  account: AccountDocument;
  feed: AccountFeed;
  profiles: Profiles;
  dated: Dated;
}

function Parts({ account, feed, profiles, dated }: PartsShown) {
  const [choice, choose] = useState<Choice>({ by: "model", days: 30 });
  const { by, days } = choice;
  // What was spent is known by the hour at best, each day of a key is asked for every ten minutes.
  const hour = account.fetchedAt.slice(0, "2026-11-26T10".length);
  const tens = account.fetchedAt.slice(0, "2026-11-26T10:2".length);
  const spent = useAsked(`${by} ${days}`, () => feed.spent(by, days), hour);
  const models = useAsked(`${days}`, () => feed.whole("model", days), hour);
  const keys = useAsked("keys", feed.keys, account.fetchedAt);
  const keyDays = useAsked("days", feed.days, tens);
  return (
    <>
      <SpendCard choice={choice} onChoose={choose} asked={spent} now={Date.parse(account.fetchedAt)} />
      <Models asked={models} days={days} />
      <Keys asked={keys} days={keyDays.answer} profiles={profiles} dated={dated} />
    </>
  );
}

const COLUMNS: readonly Column[] = ["status", "name", "spendable", "left", "today", "days", "end"];

const NO_KEYS = "This account has no keys. They are made at https://openrouter.ai/settings/keys.";

interface KeysShown {
  asked: Asked<KeyList>;
  days: KeyDays | null;
  profiles: Profiles;
  dated: Dated;
}

function Keys({ asked, days, profiles, dated }: KeysShown) {
  const { answer, error, again } = asked;
  const rows = useMemo(() => (answer === null ? [] : rowsOf(answer, days, profiles, dated)), [answer, days, profiles, dated]);
  return (
    <div class="account-keys" data-testid="account-keys">
      {rows.length > 0 ? (
        <KeyTable title={answer?.complete === false ? `At least ${keysInWords(rows.length)}:` : "Keys"} rows={rows} columns={COLUMNS} name="account" />
      ) : (
        <section class="card">
          <h2>Keys</h2>
          {error !== null ? (
            <Problem error={error} again={again} />
          ) : (
            <p class="soft">
              {answer === null ? "Loading…" : answer.complete && <Linked text={NO_KEYS} />}
            </p>
          )}
        </section>
      )}
    </div>
  );
}

/** Why the numbers are old: at the window's lower edge, so that nothing moves when it comes. */
function Notice({ account, asked, dated }: { account: AccountDocument; asked: Asked<AccountDocument>; dated: Dated }) {
  const now = useNow();
  if (!account.stale && asked.error === null) return null;
  const waited = ageInWords(age(dated, now));
  const from = `The numbers are from ${timeOfDay(account.fetchedAt, Date.parse(account.fetchedAt) + age(dated, now))}, ${waited} ago.`;
  const [what, hint] = asked.error === null ? ["", ""] : wrong(asked.error);
  return (
    <aside class="notices" aria-label="What is wrong">
      {asked.error !== null ? (
        <p data-testid="account-problem">
          <strong>{what}.</strong> <Linked text={hint} /> {from}
        </p>
      ) : (
        <p data-testid="account-stale">
          <strong>OpenRouter has not answered:</strong> {openEnded(account.staleReason ?? "why is not known")}. {from}
        </p>
      )}
    </aside>
  );
}
