// A hundred rows. While they are far from the window they are not drawn again, unless they become others.

import { Component } from "preact";
import { Line } from "./line";
import type { Column, KeyRow } from "./row";

interface Shown {
  rows: readonly KeyRow[];
  columns: readonly Column[];
  /** Of the browser's clock, in steps. */
  now: number;
}

/** What is that near to the window is drawn, so that nothing old is scrolled into it. */
const NEAR = "800px";

export class Block extends Component<Shown, { isNear: boolean }> {
  override state = { isNear: true };
  private observer: IntersectionObserver | null = null;
  private body: HTMLTableSectionElement | null = null;

  override componentDidMount(): void {
    if (this.body === null || typeof IntersectionObserver === "undefined") return;
    this.observer = new IntersectionObserver(
      // Several entries tell of several crossings, the last one of the newest.
      (entries) => this.setState({ isNear: entries.at(-1)?.isIntersecting !== false }),
      { rootMargin: NEAR },
    );
    this.observer.observe(this.body);
  }

  override componentWillUnmount(): void {
    this.observer?.disconnect();
  }

  override shouldComponentUpdate({ rows, columns, now }: Shown, { isNear }: { isNear: boolean }): boolean {
    const old = this.props;
    const areOthers = rows.length !== old.rows.length || rows.some((row, at) => row.id !== old.rows[at]?.id);
    if (areOthers || columns !== old.columns) return true;
    if (!isNear) return false;
    return !this.state.isNear || now !== old.now || rows.some((row, at) => row !== old.rows[at]);
  }

  override render({ rows, columns, now }: Shown) {
    return (
      <tbody role="rowgroup" ref={(body) => void (this.body = body)} style={{ "--rows": rows.length }}>
        {rows.map((row) => (
          <Line key={row.id} row={row} columns={columns} now={now} />
        ))}
      </tbody>
    );
  }
}
