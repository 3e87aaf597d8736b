export { HistoryPanel } from "../history/history";
