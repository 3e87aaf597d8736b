// A cell of the strip: a label, one large value, and quiet lines below it.

import type { Tone } from "../words";

interface Line {
  text: string;
  hook?: string;
  isWarning?: boolean;
}

interface Shown {
  label: string;
  value: string;
  unit?: string;
  lines: Line[];
  tone?: Tone;
  hook: string;
}

export function Cell({ label, value, unit = "", lines, tone = "plain", hook }: Shown) {
  return (
    <div class="cell">
      <h2 class="soft">{label}</h2>
      <p class="value" data-tone={tone} data-testid={hook}>
        {value}
        {unit !== "" && " "}
        {unit !== "" && <span class="unit">{unit}</span>}
      </p>
      {lines.map(({ text, hook: of, isWarning }) => (
        <p key={text} class={isWarning === true ? "soft amber" : "soft"} {...(of === undefined ? {} : { "data-testid": of })}>
          {text}
        </p>
      ))}
    </div>
  );
}
