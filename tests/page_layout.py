"""How a page is looked at, and what is wrong with its layout: a script that any browser can run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Theme: TypeAlias = Literal["light", "dark"]


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    width: int = 1280
    """The window's, in CSS pixels."""
    theme: Theme = "light"
    font: int = 16
    """The size that the user chose for text, in pixels."""
    zoom: int = 1
    is_forced: bool = False
    """Whether the system replaces the page's colours by those of a contrast theme."""
    is_printed: bool = False

    def __str__(self) -> str:
        further = {
            f"{self.font} px font": self.font != 16,
            f"zoom {self.zoom}": self.zoom != 1,
            "forced colours": self.is_forced,
            "print": self.is_printed,
        }
        return " ".join([f"{self.width} px", self.theme, *(text for text, holds in further.items() if holds)])


THEMES: tuple[Theme, Theme] = ("light", "dark")
WIDTHS = (1920, 1280, 768, 360, 320)
PAPER = 718
"""A4 between margins of a centimetre, in CSS pixels."""
LARGE_FONT = 28

EVERY_LOOK = (
    *(Look(width, theme) for width in WIDTHS for theme in THEMES),
    *(Look(width, "light", font=LARGE_FONT) for width in WIDTHS),
    Look(1280, "dark", is_forced=True),
    Look(360, "light", is_forced=True),
    Look(640, "light", zoom=2),
    Look(PAPER, "light", is_printed=True),
)

FAULTS = r"""
async () => {
    const drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    await drawn();  // what follows the window's size is drawn in the next frame
    const faults = [];
    // What is far from the window need not be laid out.
    const shown = {contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true};
    const isSeen = element => element.checkVisibility(shown);
    // Text for screen readers alone.
    const isUnseen = element => {
        for (let it = element; it !== null; it = it.parentElement) {
            const style = getComputedStyle(it);
            const box = it.getBoundingClientRect();
            if (box.width <= 1.5 && box.height <= 1.5 && /hidden|clip/.test(style.overflowX)) return true;
            if (it !== element && /^inset\((50|100)%/.test(style.clipPath)) return true;
        }
        return false;
    };
    const isScrolledAway = (rect, element) => {
        for (let it = element; it !== null; it = it.parentElement) {
            if (!/auto|scroll/.test(getComputedStyle(it).overflow)) continue;
            const box = it.getBoundingClientRect();
            const middle = (rect.top + rect.bottom) / 2;
            if (middle < box.top || middle > box.bottom || rect.left > box.right || rect.right < box.left) return true;
        }
        return false;
    };
    const quoted = text => JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 60));
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        const element = node.parentElement;
        if (!node.data.trim() || element.closest("script, style, noscript, title, desc, option")) continue;
        if (!isSeen(element) || isUnseen(element)) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        const svg = element.closest("svg");
        // What stands at the window's edge covers what can be scrolled.
        let isFixed = false;
        for (let it = element; it !== null; it = it.parentElement) {
            isFixed ||= getComputedStyle(it).position === "fixed";
        }
        const seen = [...range.getClientRects()].filter(rect => rect.width > 0 && !isScrolledAway(rect, element));
        texts.push({node, element, svg, isFixed, rects: seen});
    }

    // Wider than the window.
    const width = Math.min(innerWidth, document.documentElement.clientWidth);
    const whole = document.documentElement.scrollWidth;
    if (whole > width) faults.push(`the page is ${whole} px wide in a window of ${width} px`);

    // Cut off: by an ancestor that hides what goes beyond it, or by the window.
    for (const {node, element, svg, rects} of texts) {
        const cut = rects.find(rect => rect.left < -1 || (rect.right > width + 1 && whole <= width));
        if (cut !== undefined && element.closest("[data-scrolls]") === null) {
            let scrolls = false;
            for (let it = element; it !== null; it = it.parentElement) {
                scrolls ||= /auto|scroll/.test(getComputedStyle(it).overflowX) && it.scrollWidth > it.clientWidth;
            }
            if (!scrolls) faults.push(`beyond the window: ${quoted(node.data)}`);
        }
        for (let it = element; it !== null && it !== document.body; it = it.parentElement) {
            const style = getComputedStyle(it);
            const isOuter = it === svg;
            if (it.closest("svg") !== null && !isOuter) continue;
            const hides = axis => /hidden|clip/.test(style[`overflow${axis}`]);
            if (!hides("X") && !hides("Y")) continue;
            const box = it.getBoundingClientRect();
            const isCut = rects.some(rect =>
                (hides("X") && (rect.left < box.left - 2 || rect.right > box.right + 2)) ||
                (hides("Y") && (rect.top < box.top - rect.height / 4 || rect.bottom > box.bottom + rect.height / 4)));
            if (!isCut) continue;
            // A shortened text must be whole somewhere.
            const isShortened = style.textOverflow === "ellipsis" && element.closest("[title]") !== null;
            if (!isShortened) faults.push(`cut off: ${quoted(node.data)}`);
            break;
        }
    }

    // Beyond its card.
    for (const {node, element, rects} of texts) {
        const card = element.closest(".card")?.getBoundingClientRect();
        if (card === undefined || element.closest(".tooltip, [role=tooltip]") !== null) continue;
        if (rects.some(rect => rect.left < card.left || rect.right > card.right || rect.bottom > card.bottom + 2)) {
            faults.push(`beyond its card: ${quoted(node.data)}`);
        }
    }

    // On top of each other. A line's box is higher than its letters.
    const boxes = texts.flatMap(text => text.rects.map(rect => ({
        text, left: rect.left + 1, right: rect.right - 1,
        top: rect.top + rect.height * 0.22, bottom: rect.bottom - rect.height * 0.22,
    })));
    boxes.sort((a, b) => a.top - b.top);
    const told = new Set();
    boxes.forEach((a, index) => {
        for (let other = index + 1; other < boxes.length && boxes[other].top < a.bottom; other += 1) {
            const b = boxes[other];
            if (a.text === b.text || a.text.isFixed !== b.text.isFixed) continue;
            if (b.left >= a.right || a.left >= b.right) continue;
            const both = `${quoted(a.text.node.data)} and ${quoted(b.text.node.data)}`;
            if (!told.has(both)) faults.push(`on top of each other: ${both}`);
            told.add(both);
        }
    });

    // Broken within: an amount, a percentage. An amount may stand in more than one text node.
    for (const {node, svg} of texts) {
        if (svg !== null) continue;
        for (const match of node.data.matchAll(/[-~]?\$[\d.,]*\d|\d[\d.,]*[\s\u00a0]?%/g)) {
            const range = document.createRange();
            range.setStart(node, match.index);
            range.setEnd(node, match.index + match[0].length);
            const rects = [...range.getClientRects()].filter(one => one.width > 0);
            const tops = new Set(rects.map(one => Math.round(one.top)));
            if (tops.size > 1) faults.push(`broken within: ${quoted(match[0])}`);
        }
    }
    return faults;
}
"""
"""A function that gives a sentence for each fault: text on top of other text, cut off, beyond its card or the window;
an amount or a percentage that is broken within; a page that is wider than its window.
"""

SHIFTS = """
window.layoutShifts = [];
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        const moved = entry.sources.map(({node, previousRect: before, currentRect: now}) => {
            const element = node instanceof Element ? node : node?.parentElement;
            const name = element?.dataset?.testid || element?.getAttribute("class") || element?.localName;
            return `${name}: ${before.y} to ${now.y}, ${before.height} to ${now.height} px high`;
        });
        window.layoutShifts.push([entry.value, moved.join("; ")]);
    }
}).observe({type: "layout-shift", buffered: true});
"""
"""A script for the beginning of a page: notes by how much what is on screen moves by itself, and what moved."""
