// Documents of the account that are asked for while they are shown.

import { useEffect, useState } from "preact/hooks";
import { Refusal } from "../api";
import { openEnded } from "../format";

/** Seconds after a failure. */
const PATIENCE = 30;

/** Seconds; sooner than that nothing is asked for again. */
const SOONEST = 3;

interface Known<T> {
  /** The newest answer; null before any. */
  answer: T | null;
  /** What the answer or the error is of. */
  key: string | null;
  /** Why there is no newer answer; null while all is well. */
  error: unknown;
  isAsking: boolean;
  /** By the browser's clock: when that was known. */
  at: number;
}

export interface Asked<T> extends Known<T> {
  again: () => void;
}

const NOTHING = { answer: null, key: null, error: null, isAsking: false, at: 0 };

/**
 * Asks at once for another key or version, half a minute after a failure, and as many seconds after an answer as
 * `nextIn` says; not while the tab is hidden. An answer stays until the next one, or until another key's cannot be had.
 *
 * `key`: says what is asked for; null for nothing.
 */
export function useAsked<T>(
  key: string | null,
  ask: () => Promise<T>,
  version = "",
  nextIn: (answer: T) => number | null = () => null,
): Asked<T> {
  const [known, setKnown] = useState<Known<T>>(NOTHING);
  const [turn, setTurn] = useState(0);
  const again = () => setTurn((old) => old + 1);

  useEffect(() => {
    if (key === null) return undefined;
    let isOver = false;
    setKnown((old) => ({ ...old, isAsking: true }));
    ask().then(
      (answer) => isOver || setKnown({ answer, key, error: null, isAsking: false, at: Date.now() }),
      (error: unknown) =>
        isOver || setKnown((old) => ({ answer: old.key === key ? old.answer : null, key, error, isAsking: false, at: Date.now() })),
    );
    return () => {
      isOver = true;
    };
  }, [key, version, turn]);

  useEffect(() => {
    const { answer, error, isAsking, at } = known;
    const wait = error !== null ? (isStarting(error) ? SOONEST : PATIENCE) : answer === null ? null : nextIn(answer);
    if (isAsking || wait === null) return undefined;
    const dueAt = at + Math.max(wait, SOONEST) * 1000;
    const act = () => {
      if (!document.hidden && Date.now() >= dueAt) again();
    };
    const timer = setTimeout(act, dueAt - Date.now());
    document.addEventListener("visibilitychange", act);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", act);
    };
  }, [known]);

  return { ...known, again };
}

/** Whether the server waits for its first answer of OpenRouter. */
export function isStarting(error: unknown): boolean {
  return error instanceof Refusal && error.problem.code === "starting";
}

/** What went wrong, without a full stop, and what to do. */
export function wrong(error: unknown): [what: string, hint: string] {
  if (error instanceof Refusal) return [openEnded(error.problem.error), error.problem.hint];
  return ["orcredit cannot be reached", "Start it again with ‘orcredit serve’; this page keeps trying."];
}
