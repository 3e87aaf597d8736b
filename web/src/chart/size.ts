// The size of an element and of its font, in pixels of the layout.

import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import type { Size } from "./frame";

/** Null before the first layout. */
export function useSize(element: RefObject<HTMLElement | null>): Size | null {
  const [size, setSize] = useState<Size | null>(null);
  useLayoutEffect(() => {
    const it = element.current;
    if (it === null) return undefined;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = it;
      const em = Number.parseFloat(getComputedStyle(it).fontSize) || 12;
      const isSame = (old: Size | null) => old?.width === width && old.height === height && old.em === em;
      if (width > 0 && height > 0) setSize((old) => (isSame(old) ? old : { width, height, em }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(it);
    return () => observer.disconnect();
  }, [element]);
  return size;
}
