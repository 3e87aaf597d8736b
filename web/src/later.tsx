// A part of the page whose code is loaded after the first draw.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

export type Loaded<Properties> = { Part: ComponentType<Properties> } | "failed" | null;

/** The part, once it has arrived; null until then. `load` must not change; it is given the first properties. */
export function useLater<Properties>(
  load: (first: Properties) => Promise<ComponentType<Properties>>,
  properties: Properties,
): Loaded<Properties> {
  const [loaded, setLoaded] = useState<Loaded<Properties>>(null);
  useEffect(() => {
    load(properties).then(
      (Part) => setLoaded({ Part }),
      () => setLoaded("failed"),
    );
  }, [load]);
  return loaded;
}
