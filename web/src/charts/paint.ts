// What all charts share: the page's colours, and whether they are animated.

/** A colour of the page, by the name of its custom property: a canvas cannot use the style sheet. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Whether charts are animated: not where reduced motion is asked for. */
export function motion(): false | { duration: number } {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 250 };
}

export function font(): { family: string; size: number } {
  return { family: getComputedStyle(document.body).fontFamily, size: 12 };
}
