// The chart's outline in pixels: where its two parts, the strip between them and the words around them are.

/** Of the element that the chart fills, and of its font; pixels. */
export interface Size {
  width: number;
  height: number;
  em: number;
}

export interface Frame extends Size {
  left: number;
  right: number;
  /** The line that the words above the chart stand on. */
  heading: number;
  /** What was left. */
  above: Part;
  /** The times without money. */
  strip: Part;
  /** Where the bars' caption stands. */
  caption: number;
  /** What was spent. */
  below: Part;
  /** Where the times stand. */
  times: number;
}

export interface Part {
  top: number;
  bottom: number;
}

/** How much of the height the line has beside the bars. */
const LINE_SHARE = 0.7;

/** `gutter`: the width of the amounts on the left. */
export function frameOf(size: Size, gutter: number, hasLine: boolean): Frame {
  const { width, height, em } = size;
  const top = 2.3 * em;
  // Without a line all the room is the bars'.
  const between = hasLine ? 4.1 * em : 0;
  const bottom = height - 1.8 * em;
  const free = Math.max(bottom - top - between, 2 * em);
  const above = { top, bottom: hasLine ? top + free * LINE_SHARE : top };
  const strip = { top: above.bottom, bottom: above.bottom + (hasLine ? 1.5 * em : 0) };
  return {
    ...size,
    left: gutter,
    right: Math.max(width - 0.5 * em, gutter + em),
    heading: top - 1.1 * em,
    above,
    strip,
    caption: hasLine ? strip.bottom + 1.5 * em : top - 1.1 * em,
    below: { top: above.bottom + between, bottom },
    times: bottom + 1.5 * em,
  };
}
