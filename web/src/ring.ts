// The ring in the header and in the tab: its colour tells the level, and how full it is what is left.

import type { Balance, Level } from "./generated";
import { limitingBudget, needsAttention } from "./words";

const COLOURS: Record<Level, string> = { ok: "#3b82f6", low: "#e03131", exhausted: "#e03131", unlimited: "#3b82f6" };
const AMBER = "#e0a100";
const GREY = "#868e99";

/** A ring's colour, and how much of it is left, in percent. */
export interface Ring {
  colour: string;
  left: number;
}

/** A ring's colour, by the level, and how much of it is left, in percent; grey where nothing is known, or the numbers are old. */
export function ringOf(balance: Balance | null, areNumbersOld: boolean): Ring {
  const isGrey = balance === null || areNumbersOld;
  const colour = colourOf(isGrey ? null : balance.level, !isGrey && needsAttention(balance));
  const budget = balance === null ? null : limitingBudget(balance);
  // Whole percents, so that the icon does not change with every cent.
  const left = budget === null ? 100 : Math.round(Math.min(Math.max(budget.percentRemaining, 0), 100));
  return { colour, left: balance?.level === "exhausted" ? 0 : left };
}

/** Of a level; grey for none. */
export function colourOf(level: Level | null, needsAttention: boolean): string {
  return level === null ? GREY : needsAttention ? AMBER : COLOURS[level];
}
