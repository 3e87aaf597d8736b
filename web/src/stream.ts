// Where envelopes come from: the server's event stream while the tab is visible, polling while it is hidden or the
// stream fails. Knows nothing of how they are shown; the browser is handed in, for tests.

import { asEnvelope, Refusal } from "./api";
import type { Envelope } from "./generated";
import { nameOf, NOTHING, type State, type View, viewOf, withEnvelope } from "./state";

/** The part of an EventSource that is used. */
export interface Stream {
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent<string>) => void) | null;
  onerror: ((event: Event) => void) | null;
  close(): void;
}

/** What the feed needs from outside. */
export interface World {
  openStream(): Stream;
  fetchSnapshot(isFirst: boolean): Promise<Envelope>;
  /** Has OpenRouter asked now, and waits until that has ended. */
  refresh(): Promise<void>;
  now(): number;
  after(milliseconds: number, act: () => void): () => void;
}

export const POLL_EVERY = 60_000;

/** A stream is silent between two polls of the server, and when its connection has died unnoticed. */
export const LONGEST_SILENCE = 90_000;

/** The server's first poll has not ended. */
export const STARTING_PAUSE = 2_000;

const FIRST_REOPEN = 3_000;
const CLOSED = 2;

export class Feed {
  view: View = viewOf(NOTHING);

  private state: State = NOTHING;
  private readonly listeners = new Set<() => void>();
  private stream: Stream | null = null;
  private isStreamUp = false;
  private isHidden = false;
  private failures = 0;
  /** Counts logins and logouts: an answer from before one is void after it. */
  private era = 0;
  private cancelPoll: () => void = () => undefined;
  private cancelReopen: () => void = () => undefined;

  constructor(private readonly world: World) {}

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Asks for the first time; the stream waits for the answer, to know whether it needs a login. */
  async start(isHidden: boolean): Promise<void> {
    this.isHidden = isHidden;
    await this.ask(() => this.world.fetchSnapshot(true));
    this.open();
  }

  /** A hidden tab closes its connection, since a browser opens only six to a host. */
  setHidden(isHidden: boolean): void {
    if (isHidden === this.isHidden) return;
    this.isHidden = isHidden;
    if (isHidden) {
      this.close();
      this.schedule();
    } else if (!this.state.isLoginNeeded) {
      void this.ask();
      this.open();
    }
  }

  /** Shows another profile, one that is known. */
  select(name: string): void {
    if (this.state.profiles.has(name)) this.update({ selected: name });
  }

  /** The network is back, or may be. */
  retry(): void {
    if (this.state.isLoginNeeded) return;
    void this.ask();
    if (!this.isStreamUp) this.reopen();
  }

  async refresh(): Promise<void> {
    if (this.state.isRefreshing) return;
    this.update({ isRefreshing: true });
    await this.ask(async () => {
      await this.world.refresh();
      return this.world.fetchSnapshot(false);
    });
    this.update({ isRefreshing: false });
  }

  async loggedIn(): Promise<void> {
    this.era += 1;
    await this.ask();
    this.open();
  }

  loggedOut(): void {
    this.era += 1;
    this.requireLogin();
  }

  /** Keeps the answer to a request; says whether it differed from what was known. */
  private async ask(request = () => this.world.fetchSnapshot(false)): Promise<boolean> {
    const { era } = this;
    const { profiles } = this.state;
    try {
      const envelope = await request();
      if (era !== this.era) return false;
      const name = nameOf(envelope);
      const known = this.state.profiles.get(name);
      const isOvertaken = known !== profiles.get(name);
      // What was asked before the newest envelope came may be older. Otherwise the answer holds, whatever its
      // sequence: a restarted server counts from 1 again.
      if (known !== undefined && isOvertaken && envelope.sequence < known.sequence) return false;
      this.keep(envelope, name);
      return known !== undefined && envelope.sequence !== known.sequence;
    } catch (error) {
      if (era !== this.era) return false;
      if (error instanceof Refusal && error.status === 401) this.requireLogin();
      else if (this.state.profiles === profiles) this.fail(error);
      else this.schedule(); // an envelope came meanwhile
      return false;
    }
  }

  /** A stream that is silent although the server knows more is dead. */
  private async check(): Promise<void> {
    if ((await this.ask()) && this.isStreamUp) this.reopen();
  }

  private fail(error: unknown): void {
    const unreachable = error instanceof Refusal ? null : (error as Error).message;
    this.update({ unreachable, ...(error instanceof Refusal && { refusal: error.problem }), isLoginNeeded: false });
    this.schedule();
  }

  private keep(envelope: Envelope, selected: string): void {
    const profiles = withEnvelope(this.state.profiles, envelope, this.world.now());
    this.update({ profiles, selected, refusal: null, unreachable: null, isLoginNeeded: false });
    this.schedule();
  }

  private requireLogin(): void {
    this.close();
    this.cancelPoll();
    this.update({ ...NOTHING, isLoginNeeded: true, isRefreshing: this.state.isRefreshing });
  }

  private update(changes: Partial<State>): void {
    this.state = { ...this.state, ...changes };
    this.view = viewOf(this.state);
    for (const listener of this.listeners) listener();
  }

  /** Starts the one timer again: anything received postpones it. */
  private schedule(): void {
    this.cancelPoll();
    if (this.state.isLoginNeeded) return;
    const isStarting = this.state.refusal?.code === "starting";
    const pause = isStarting ? STARTING_PAUSE : this.isStreamUp ? LONGEST_SILENCE : POLL_EVERY;
    this.cancelPoll = this.world.after(pause, () => void this.check());
  }

  private open(): void {
    if (this.isHidden || this.stream !== null || this.state.isLoginNeeded) return;
    this.cancelReopen();
    const stream = this.world.openStream();
    this.stream = stream;
    // A stream that was closed may still have an event queued.
    const ifOpen = (act: () => void) => {
      if (this.stream === stream) act();
    };
    stream.onopen = () => ifOpen(() => this.opened());
    stream.onmessage = (event) => ifOpen(() => this.received(event.data));
    stream.onerror = () => ifOpen(() => this.broke(stream));
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
    this.failures = 0;
    // The server sends nothing at once when the browser has the latest event already.
    if (this.state.unreachable !== null || this.state.refusal !== null) void this.ask();
    else this.schedule();
  }

  private received(data: string): void {
    let envelope: Envelope;
    try {
      envelope = asEnvelope(JSON.parse(data));
    } catch {
      return;
    }
    const name = nameOf(envelope);
    const known = this.state.profiles.get(name);
    // A delayed event, or a server that was restarted: only an answer over HTTP says which.
    if (known !== undefined && envelope.sequence < known.sequence) void this.ask();
    else this.keep(envelope, this.state.selected ?? name);
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
    // Otherwise the browser reconnects every few seconds. The page asks at once what is wrong, and again, since a server
    // that is about to stop may still have answered; but less and less often, since it polls as well.
    if (wasUp || Number.isInteger(Math.log2(this.failures))) void this.ask();
  }
}
