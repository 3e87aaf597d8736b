// Puts the page together: theme, feed, first answer, first draw.

import { render } from "preact";
import { EVENTS, fetchProfiles, fetchSnapshot, refresh, whenLockedOut } from "./api";
import { App } from "./app";
import { isWall, routeOf } from "./route";
import { Feed } from "./stream";
import { followTheme } from "./theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/page.css";

const feed = new Feed({
  openStream: () => new EventSource(EVENTS),
  fetchSnapshot,
  fetchProfiles,
  refresh,
  now: () => Date.now(),
  after: (milliseconds, act) => {
    const timer = setTimeout(act, milliseconds);
    return () => clearTimeout(timer);
  },
  beforeDrawing: (act) => void requestAnimationFrame(act),
});

whenLockedOut(() => feed.loggedOut());
followTheme();

const goWhereAddressed = () => feed.go(routeOf(location.hash));
addEventListener("hashchange", goWhereAddressed);
goWhereAddressed();
void feed.start(document.hidden);

document.addEventListener("visibilitychange", () => feed.setHidden(document.hidden));
// A page in the back-forward cache counts as hidden, but not every browser says so.
addEventListener("pagehide", () => feed.setHidden(true));
addEventListener("pageshow", () => feed.setHidden(document.hidden));
addEventListener("online", () => feed.retry());

const isForWall = isWall(location.search);
const draw = () => {
  const page = document.getElementById("page");
  if (page !== null) render(<App feed={feed} isWall={isForWall} />, page);
};
if (isForWall) {
  document.documentElement.classList.add("wall");
  // Only a wall needs it; drawn before it has come, everything would move. The bundler would make `import(...).then(draw)`
  // a part of what is loaded, and not draw at all without the styles.
  const loadStyles = async () => {
    await import("./styles/wall.css");
  };
  loadStyles().then(draw, draw);
} else draw();
