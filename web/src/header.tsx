// The header: whose key, one sentence that sums it up, how new the numbers are, refresh, colours, logout.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { age } from "./clock";
import { ago, capitalized, duration, named, timeOfDay, zone } from "./format";
import type { Balance } from "./generated";
import { type Ring as RingShown, ringOf } from "./ring";
import { accountAddressOf, addressOf, HOME } from "./route";
import { isOld, type Profiles, type View } from "./state";
import { type Choice, choose, chosen } from "./theme";
import { useDocumentNow, useNow } from "./ticking";
import { type Tone, verdict } from "./words";

interface Actions {
  view: View;
  /** Null where there is nothing to refresh. */
  onRefresh: (() => void) | null;
  /** Null where no login is needed. */
  onLogOut: (() => Promise<void>) | null;
  /** What the page is about, where it is not one key. */
  children?: ComponentChildren;
}

export function Header({ view, onRefresh, onLogOut, children }: Actions) {
  return (
    <header class="top">
      {children ?? (
        <>
          <Whose view={view} />
          <Verdict view={view} />
        </>
      )}
      {view.page !== "account" && <Age view={view} />}
      <div class="actions">
        {view.account !== null && view.page !== "account" && (
          <a class="button" href={accountAddressOf(view.account)} data-testid="account-link">
            Account{view.page === "table" && accountsOf(view.profiles).length > 1 && ` ${view.account === "" ? "" : "of "}${named(view.account)}`}
          </a>
        )}
        {onRefresh !== null && (
          // Not "disabled" while it asks: the button would lose the focus.
          <button
            type="button"
            class="button square"
            data-testid="refresh"
            aria-label={view.isRefreshing ? "Refreshing…" : "Refresh"}
            title="Refresh"
            aria-busy={view.isRefreshing}
            aria-disabled={view.isRefreshing}
            onClick={onRefresh}
          >
            <svg class={view.isRefreshing ? "icon spinning" : "icon"} viewBox="0 0 16 16" aria-hidden="true">
              <path d="M13 8a5 5 0 1 1-1.6-3.7M13 1.8v3h-3" />
            </svg>
          </button>
        )}
        <ThemeSwitch />
        {onLogOut !== null && <LogOut onLogOut={onLogOut} />}
      </div>
    </header>
  );
}

/** The profiles whose account can be looked at. */
export function accountsOf(profiles: Profiles): string[] {
  return Array.from(profiles).flatMap(([name, { hasAccount }]) => (hasAccount ? name : []));
}

/** A longer list takes too long to read; the table has a search. */
const MOST_CHOICES = 30;

interface Offered {
  label: string;
  names: string[];
  name: string | null;
  /** Of the page of a name. */
  to: (name: string) => string;
}

/** A list of profiles, which opens the page of the one chosen. */
export function Choices({ label, names, name, to }: Offered) {
  if (name === null || !names.includes(name) || names.length < 2 || names.length > MOST_CHOICES) return null;
  return (
    <select
      aria-label={label}
      data-testid="profile"
      value={name}
      onChange={(event) => {
        location.hash = to(event.currentTarget.value);
      }}
    >
      {names.map((one) => (
        <option key={one} value={one}>
          {named(one)}
        </option>
      ))}
    </select>
  );
}

/** The profile's name and the key's masked label; with several profiles a choice, and the way back to the table. */
function Whose({ view }: { view: View }) {
  const balance = view.held?.balance ?? null;
  const label = balance === null ? null : (balance.key.label ?? "no label");
  const name = view.name === null || (view.name === "" && view.profileCount < 2) ? null : named(view.name);
  return (
    <div class="whose" data-testid="key">
      {view.profileCount > 1 && <Back />}
      <Ring {...ringOf(balance, isOld(view))} />
      <h1>
        {name ?? label ?? "orcredit"}
        {name !== null && label !== null && <span class="soft"> {label}</span>}
      </h1>
      <Choices label="Show another key" names={[...view.profiles.keys()]} name={view.name} to={addressOf} />
      {balance?.key.isManagementKey === true && <span class="soft">management key</span>}
      {balance?.key.isFreeTier === true && <span class="soft">free tier</span>}
    </div>
  );
}

/** The way back to the table of keys, or to the only key. */
export function Back({ title = "All keys" }: { title?: string }) {
  return (
    <a class="button square" href={HOME} aria-label={title} title={title} data-testid="all-keys">
      <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d="M10 3 5 8l5 5" />
      </svg>
    </a>
  );
}

/** The tab's icon: a ring, as full as what limits the key. */
export function Ring({ colour, left }: RingShown) {
  return (
    <svg class="ring" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="11" stroke={`${colour}44`} />
      {left > 0 && (
        <circle cx="16" cy="16" r="11" stroke={colour} pathLength="100" stroke-dasharray={`${left} 100`} transform="rotate(-90 16 16)" />
      )}
    </svg>
  );
}

const MARKS: Record<Tone, string> = { good: "✓", attention: "▲", bad: "▲", plain: "" };

function Verdict({ view }: { view: View }) {
  const { held } = view;
  if (view.isLoginNeeded) return null;
  if (view.unreachable !== null) return <Chip tone="attention" text="orcredit does not answer" />;
  if (held === null) return null;
  if (view.problem !== null || held.balance.stale) return <Chip tone="attention" text="OpenRouter does not answer" />;
  return <CurrentVerdict view={view} held={held} />;
}

function CurrentVerdict({ view, held }: { view: View; held: NonNullable<View["held"]> }) {
  return <Chip {...verdict(held.balance, view.runaway, useDocumentNow(held))} />;
}

function Chip({ tone, text }: { tone: Tone; text: string }) {
  return (
    <p class="chip" data-tone={tone} data-testid="verdict">
      {MARKS[tone] !== "" && <span aria-hidden="true">{MARKS[tone]}</span>}
      {text}
    </p>
  );
}

/** What the age needs of a view. */
export interface Aged extends Pick<View, "dueAt" | "isLoginNeeded" | "problem" | "unreachable"> {
  held: { balance: Pick<Balance, "fetchedAt" | "stale">; freshAt: number } | null;
}

/** When OpenRouter gave the numbers, and when it is asked next. */
export function Age({ view }: { view: Aged }) {
  const now = useNow();
  const { held, dueAt } = view;
  if (held === null || view.isLoginNeeded) return null;
  const passed = age(held, now);
  const { fetchedAt } = held.balance;
  const date = new Date(fetchedAt);
  const left = dueAt === null ? null : dueAt - now;
  const word = held.balance.stale ? "next try" : "next";
  return (
    // Breaks only between its parts.
    <p class="age soft" data-testid="live">
      <span data-testid="updated">
        <span>
          <span class="dot" data-live={!isOld(view)} aria-hidden="true" />
          Updated{" "}
          <time dateTime={fetchedAt}>
            {timeOfDay(fetchedAt, date.getTime() + passed)} {zone(date)}
          </time>
        </span>{" "}
        <span>· {ago(passed)}</span>
      </span>
      {view.unreachable === null && left !== null && (
        <>
          {" "}
          <span>· {left >= 1000 ? `${word} in ${duration(left)}` : "asking now"}</span>
        </>
      )}
    </p>
  );
}

function LogOut({ onLogOut }: { onLogOut: () => Promise<void> }) {
  const [hasFailed, setFailed] = useState(false);
  return (
    <button
      type="button"
      class="button"
      data-testid="logout"
      onClick={() => void onLogOut().catch(() => setFailed(true))}
    >
      {hasFailed ? "Log out (failed, try again)" : "Log out"}
    </button>
  );
}

const CHOICES: Record<Choice, { picture: string; next: Choice }> = {
  system: { picture: "M2.5 3h11v7.5h-11zM6 13.2h4", next: "light" },
  light: {
    picture:
      "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13",
    next: "dark",
  },
  dark: { picture: "M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z", next: "system" },
};

/** Each press takes the next of the three. */
function ThemeSwitch() {
  const [choice, setChoice] = useState(chosen);
  const { picture, next } = CHOICES[choice];
  const label = `Colours: ${choice === "system" ? "the system’s" : choice}`;
  return (
    <button
      type="button"
      class="button square"
      data-testid="theme-switch"
      data-choice={choice}
      aria-label={label}
      title={`${label}. ${capitalized(next === "system" ? "the system’s" : next)} is next.`}
      onClick={() => {
        choose(next);
        setChoice(next);
      }}
    >
      <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d={picture} />
      </svg>
    </button>
  );
}
