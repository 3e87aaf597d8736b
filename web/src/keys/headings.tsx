// The head of the table: each column's name is a button that orders the rows by it.

import type { Column, Order } from "./row";

const NAMES: Record<Column, string> = {
  status: "Status",
  name: "Key",
  spendable: "Can spend",
  left: "Left",
  today: "Today",
  days: "14 days",
  end: "Runs out / resets",
  age: "Age",
};

/** Columns that begin with the most. */
const DESCENDING: readonly Column[] = ["today", "days"];

interface Shown {
  columns: readonly Column[];
  order: Order;
  onOrder: (order: Order) => void;
}

export function Headings({ columns, order, onOrder }: Shown) {
  return (
    <thead role="rowgroup">
      <tr role="row">
        {columns.map((column) => {
          const isOrder = order.by === column;
          const isDescending = DESCENDING.includes(column) !== (isOrder && order.isReversed);
          return (
            <th
              key={column}
              role="columnheader"
              scope="col"
              class={column}
              aria-sort={isOrder ? (isDescending ? "descending" : "ascending") : undefined}
            >
              <button type="button" onClick={() => onOrder({ by: column, isReversed: isOrder && !order.isReversed })}>
                {NAMES[column]}
                {isOrder && <span aria-hidden="true"> {isDescending ? "▼" : "▲"}</span>}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
