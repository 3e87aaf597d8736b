// Where the balance comes from: the server's event stream while the tab is seen, polling while it is hidden or the
// stream fails. It decides what is news, and knows nothing of how it is shown; the browser is handed in, for tests.

import { type Answer, asBalance, isProblem, Refusal, Unreachable } from "./api";
import { type Held, hold, isOlder } from "./clock";
import type { Balance, Problem } from "./generated";

/** What the page knows. */
export interface Known {
  held: Held | null;
  /** What the server said instead of a balance; the one held may still stand beside it. */
  problem: Problem | null;
  /** Why the server could not be asked. */
  unreachable: string | null;
  isLoginNeeded: boolean;
  isRefreshing: boolean;
}

/** Whether the numbers may have changed since. */
export function isOld(known: Known): boolean {
  return known.held?.balance.stale === true || known.unreachable !== null || known.problem !== null;
}

/** The part of an EventSource that is used. */
export interface Stream {
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent<string>) => void) | null;
  onerror: ((event: Event) => void) | null;
  addEventListener(type: "problem", listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** What the feed needs from outside. */
export interface World {
  openStream(): Stream;
  fetchBalance(isFirst: boolean): Promise<Answer>;
  refreshBalance(): Promise<Answer>;
  now(): number;
  after(milliseconds: number, act: () => void): () => void;
}

interface Asking {
  /** What to take when nobody answers. */
  instead?: Balance;
  /** Asked because the stream was quiet for long: if there is news, then the stream is dead and does not know. */
  isCheck?: boolean;
}

export const POLL_EVERY = 60_000;

/** A stream says nothing between two polls of the server, and nothing when its connection has died unnoticed. */
export const LONGEST_SILENCE = 90_000;

/** The server has not yet asked OpenRouter for the first time. */
export const STARTING_PAUSE = 2_000;

const FIRST_REOPEN = 3_000;
const CLOSED = 2;

export class Feed {
  known: Known = { held: null, problem: null, unreachable: null, isLoginNeeded: false, isRefreshing: false };

  private readonly listeners = new Set<() => void>();
  private stream: Stream | null = null;
  private isStreamUp = false;
  private isFirstEvent = true;
  private isHidden = false;
  private failures = 0;
  /** Balances taken so far: whatever was asked for before the newest of them must not undo it. */
  private taken = 0;
  /** Counts log-ins and log-outs: an answer from before one says nothing about after it. */
  private era = 0;
  private cancelPoll: () => void = () => undefined;
  private cancelReopen: () => void = () => undefined;

  constructor(private readonly world: World) {}

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Asks for the first time; the stream waits for the answer, to know whether it needs a log-in. */
  async start(isHidden: boolean): Promise<void> {
    this.isHidden = isHidden;
    await this.ask(true);
    this.open();
  }

  /** A hidden tab gives its connection back, since a browser has only six for a host. */
  setHidden(isHidden: boolean): void {
    if (isHidden === this.isHidden) return;
    this.isHidden = isHidden;
    if (isHidden) {
      this.close();
      this.schedule();
    } else if (!this.known.isLoginNeeded) {
      void this.ask();
      this.open();
    }
  }

  /** The network is back, or may be. */
  retry(): void {
    if (this.known.isLoginNeeded) return;
    void this.ask();
    if (!this.isStreamUp) this.reopen();
  }

  async refresh(): Promise<void> {
    if (this.known.isRefreshing) return;
    this.tell({ isRefreshing: true });
    await this.take(() => this.world.refreshBalance());
    this.tell({ isRefreshing: false });
  }

  async loggedIn(): Promise<void> {
    this.era += 1;
    await this.ask();
    this.open();
  }

  loggedOut(): void {
    this.era += 1;
    this.needLogin();
  }

  private async ask(isFirst = false): Promise<void> {
    await this.take(() => this.world.fetchBalance(isFirst));
  }

  private async take(request: () => Promise<Answer>, { instead, isCheck }: Asking = {}): Promise<void> {
    const { era, taken } = this;
    try {
      const { balance, age } = await request();
      if (era !== this.era) return;
      const { held } = this.known;
      if (isOlder(balance, held) && taken !== this.taken) return; // overtaken on its way
      const isNews = held !== null && balance.fetchedAt !== held.balance.fetchedAt;
      this.keep(balance, age);
      if (isCheck === true && isNews && this.isStreamUp) this.reopen();
    } catch (error) {
      if (era !== this.era) return;
      if (error instanceof Refusal && error.status === 401) this.needLogin();
      else if (taken !== this.taken) this.schedule(); // heard of it since
      else if (instead !== undefined) this.keep(instead, 0);
      else this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (error instanceof Refusal) this.tell({ problem: error.problem, unreachable: null, isLoginNeeded: false });
    else this.tell({ unreachable: error instanceof Unreachable ? error.message : String(error), isLoginNeeded: false });
    this.schedule();
  }

  private keep(balance: Balance, age: number): void {
    this.taken += 1;
    const held = hold(balance, age, this.world.now(), this.known.held);
    this.tell({ held, problem: null, unreachable: null, isLoginNeeded: false });
    this.schedule();
  }

  private needLogin(): void {
    this.close();
    this.cancelPoll();
    this.tell({ held: null, problem: null, unreachable: null, isLoginNeeded: true });
  }

  private tell(news: Partial<Known>): void {
    this.known = { ...this.known, ...news };
    for (const listener of this.listeners) listener();
  }

  /** Arms the one timer: whatever is heard, from whom ever, puts it off. */
  private schedule(): void {
    this.cancelPoll();
    if (this.known.isLoginNeeded) return;
    const isStarting = this.known.problem?.code === "starting";
    const pause = isStarting ? STARTING_PAUSE : this.isStreamUp ? LONGEST_SILENCE : POLL_EVERY;
    this.cancelPoll = this.world.after(pause, () => {
      void this.take(() => this.world.fetchBalance(false), { isCheck: true });
    });
  }

  private open(): void {
    if (this.isHidden || this.stream !== null || this.known.isLoginNeeded) return;
    this.cancelReopen();
    const stream = this.world.openStream();
    this.stream = stream;
    // A stream that was closed may still have an event on its way to us.
    const ifCurrent = (act: () => void) => {
      if (this.stream === stream) act();
    };
    stream.onopen = () => ifCurrent(() => this.opened());
    stream.onmessage = (event) => ifCurrent(() => this.heard(event.data));
    stream.onerror = () => ifCurrent(() => this.broke(stream));
    stream.addEventListener("problem", (event) => ifCurrent(() => this.heardProblem(event.data)));
  }

  private close(): void {
    this.cancelReopen();
    this.stream?.close();
    this.stream = null;
    this.isStreamUp = false;
  }

  private reopen(): void {
    this.close();
    this.open();
  }

  private opened(): void {
    this.isStreamUp = true;
    this.isFirstEvent = true;
    this.failures = 0;
    // The server sends nothing at once to somebody who has it already.
    if (this.known.unreachable !== null || this.known.problem !== null) void this.ask();
    else this.schedule();
  }

  private heard(data: string): void {
    const balance = asBalance(parsed(data));
    if (balance === null) return;
    const { held } = this.known;
    const isFirst = this.isFirstEvent;
    this.isFirstEvent = false;
    if (isOlder(balance, held)) {
      void this.ask(); // delayed on its way, or a server that began anew: ask which
    } else if (held !== null && held.balance.fetchedAt === balance.fetchedAt) {
      this.keep(balance, (this.world.now() - held.freshAt) / 1000);
    } else if (isFirst) {
      // May have been lying there for long; only an answer over HTTP tells its age.
      void this.take(() => this.world.fetchBalance(false), { instead: balance });
    } else {
      this.keep(balance, 0);
    }
  }

  private heardProblem(data: string): void {
    const problem = parsed(data);
    if (!isProblem(problem)) return;
    this.tell({ problem, unreachable: null });
    this.schedule();
  }

  private broke(stream: Stream): void {
    const wasUp = this.isStreamUp;
    this.isStreamUp = false;
    this.failures += 1;
    if (stream.readyState === CLOSED) {
      // The browser gives up on any answer that is not a stream; a 401 among them.
      this.close();
      const pause = Math.min(FIRST_REOPEN * 2 ** (this.failures - 1), POLL_EVERY);
      this.cancelReopen = this.world.after(pause, () => this.open());
    }
    // Otherwise it tries again by itself, every few seconds. What is wrong is asked at once, and again, since a server
    // that is about to end may still have answered; but less and less often, for there is the poll.
    if (wasUp || Number.isInteger(Math.log2(this.failures))) void this.ask();
  }
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
