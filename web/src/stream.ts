// Where envelopes come from: the server's event stream while the tab is visible, polling while it is hidden or the
// stream fails. Knows nothing of how they are shown; the browser is handed in, for tests.

import { asEnvelope, Refusal } from "./api";
import type { Envelope, Profiles } from "./generated";
import type { Route } from "./route";
import { nameOf, NOTHING, type ProfileState, type State, UNKNOWN, type View, viewOf, withEnvelope } from "./state";

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
  /** Of a profile; null for the one that the server chooses. */
  fetchSnapshot(isFirst: boolean, profile: string | null): Promise<Envelope>;
  fetchProfiles(): Promise<Profiles>;
  /** Has OpenRouter asked now about a profile, and waits until that has ended. */
  refresh(profile: string | null): Promise<void>;
  now(): number;
  after(milliseconds: number, act: () => void): () => void;
  /** Acts before the window is drawn next. */
  beforeDrawing(act: () => void): void;
}

export const POLL_EVERY = 60_000;

/** A stream is silent between two polls of the server, and when its connection has died unnoticed. */
export const LONGEST_SILENCE = 90_000;

/** The server's first poll has not ended. */
export const STARTING_PAUSE = 2_000;

/** So many profiles are refreshed at most from the table: more would be a burst of requests to OpenRouter. */
export const MOST_REFRESHED = 100;

/** So many of them at once: a browser opens only six connections to a host. */
const REFRESHED_AT_ONCE = 4;

const FIRST_REOPEN = 3_000;
const CLOSED = 2;

/** The answer to a question: about one profile, or about all. */
type Answer = Envelope | Profiles;

export class Feed {
  private state: State = { ...NOTHING, route: { page: "home", profile: null } };
  /** Of the state; null where that changed since. */
  private viewed: View | null = null;
  /** The state's profiles, while no view has them: a thousand envelopes at once must not copy them a thousand times. */
  private unseen: Map<string, ProfileState> | null = null;
  private isTelling = false;
  private isListing = false;
  /** Whether an event was older than what is known, since the server was asked for the last time. */
  private isDoubtful = false;
  private isSettling = false;
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

  get view(): View {
    this.unseen = null;
    this.viewed ??= viewOf(this.state);
    return this.viewed;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Asks for the first time; the stream waits for the answer, to know whether it needs a login. */
  async start(isHidden: boolean): Promise<void> {
    this.isHidden = isHidden;
    await this.ask(() => this.world.fetchSnapshot(true, null));
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

  /** Shows the page of that address. */
  go(route: Route): void {
    this.update({ route });
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
    const { page, name } = this.view;
    const profile = this.state.profileCount > 1 ? name : null;
    await this.ask(async () => {
      if (page === "table") return this.refreshAll();
      await this.world.refresh(profile);
      return this.world.fetchSnapshot(false, profile);
    });
    this.update({ isRefreshing: false });
  }

  private async refreshAll(): Promise<Profiles> {
    const names = this.state.profiles.keys();
    const some = async () => {
      // A key that cannot be asked about says so in its row.
      for (const name of names) await this.world.refresh(name).catch(() => undefined);
    };
    await Promise.all(Array.from({ length: REFRESHED_AT_ONCE }, some));
    return this.world.fetchProfiles();
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

  /** What is asked when nothing in particular is. */
  private newest(): Promise<Answer> {
    return this.state.profileCount > 1 ? this.world.fetchProfiles() : this.world.fetchSnapshot(false, null);
  }

  /** Keeps the answer to a request; says whether it differed from what was known. */
  private async ask(request = () => this.newest()): Promise<boolean> {
    const { era } = this;
    this.unseen = null;
    const { profiles } = this.state;
    try {
      const answer = await request();
      if (era !== this.era) return false;
      if ("profiles" in answer) this.list(answer);
      const envelopes = "profiles" in answer ? answer.profiles.flatMap(({ envelope }) => envelope ?? []) : [answer];
      let isNews = false;
      for (const envelope of envelopes) {
        const name = nameOf(envelope);
        const known = this.state.profiles.get(name);
        const isOvertaken = known !== profiles.get(name);
        // What was asked before the newest envelope came may be older. Otherwise the answer holds, whatever its
        // sequence: a restarted server counts from 1 again.
        if (known !== undefined && isOvertaken && envelope.sequence < known.sequence) continue;
        isNews ||= known !== undefined && known !== UNKNOWN && envelope.sequence !== known.sequence;
        this.put(envelope);
      }
      this.kept(envelopes[0], "profiles" in answer ? nameOf({ profile: answer.default }) : nameOf(answer));
      return isNews;
    } catch (error) {
      if (era !== this.era) return false;
      if (error instanceof Refusal && error.status === 401) this.requireLogin();
      else if (this.state.profiles === profiles) this.fail(error);
      else this.schedule(); // an envelope came meanwhile
      return false;
    }
  }

  /** Knows the profiles of the server, in its order, and no others. */
  private list({ profiles }: Profiles): void {
    const { profiles: known } = this.state;
    const listed = new Map(profiles.map((one) => [nameOf(one), known.get(nameOf(one)) ?? UNKNOWN]));
    this.change({ profiles: listed, profileCount: listed.size, isListed: true });
    this.unseen = listed;
  }

  /** A stream that is silent although the server knows more is dead. */
  private async check(): Promise<void> {
    if ((await this.ask()) && this.isStreamUp) this.reopen();
  }

  /** Asks what holds: one request for all the events that came before it, since a restarted server sends one a profile. */
  private async settle(): Promise<void> {
    this.isDoubtful = true;
    if (this.isSettling) return;
    this.isSettling = true;
    while (this.isDoubtful) {
      this.isDoubtful = false;
      await this.ask();
    }
    this.isSettling = false;
  }

  private fail(error: unknown): void {
    const unreachable = error instanceof Refusal ? null : (error as Error).message;
    this.update({ unreachable, ...(error instanceof Refusal && { refusal: error.problem }), isLoginNeeded: false });
    this.schedule();
  }

  /** Notes what an envelope says, without telling anyone. */
  private put(envelope: Envelope): void {
    const name = nameOf(envelope);
    if (this.unseen === null) {
      this.unseen = new Map(this.state.profiles);
      this.change({ profiles: this.unseen });
    }
    this.unseen.set(name, withEnvelope(this.unseen.get(name), envelope, this.world.now()));
  }

  /** After an answer or an event: all is well. */
  private kept(envelope: Envelope | undefined, name: string, isAnswer = true): void {
    const profileCount = envelope?.profileCount ?? this.state.profileCount;
    const isListed = this.state.isListed && profileCount === this.state.profiles.size;
    const first = isAnswer && profileCount < 2 ? name : (this.state.first ?? name);
    const changes = { first, profileCount, isListed, refusal: null, unreachable: null, isLoginNeeded: false };
    if (isAnswer) this.update(changes);
    else this.updateBeforeDrawing(changes);
    this.schedule();
    if (profileCount > 1 && !isListed && !this.isListing) {
      this.isListing = true;
      void this.ask().then(() => (this.isListing = false));
    }
  }

  private requireLogin(): void {
    this.close();
    this.cancelPoll();
    this.update({ ...NOTHING, isLoginNeeded: true, isRefreshing: this.state.isRefreshing });
  }

  private change(changes: Partial<State>): void {
    this.state = { ...this.state, ...changes };
    this.viewed = null;
  }

  private update(changes: Partial<State>): void {
    this.change(changes);
    this.tell();
  }

  /** A server with many profiles sends many envelopes: what they changed is drawn once. */
  private updateBeforeDrawing(changes: Partial<State>): void {
    this.change(changes);
    if (this.isTelling) return;
    this.isTelling = true;
    this.world.beforeDrawing(() => {
      this.isTelling = false;
      this.tell();
    });
  }

  private tell(): void {
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
    if (known !== undefined && envelope.sequence < known.sequence) void this.settle();
    else {
      if (known === undefined || !isRepeated(envelope, known)) this.put(envelope);
      this.kept(envelope, name, false);
    }
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

/** Whether it says nothing new: a stream that is opened begins with what an answer has told already. */
function isRepeated({ sequence, balance, events }: Envelope, known: ProfileState): boolean {
  const isSame = sequence === known.sequence && balance?.fetchedAt === known.held?.balance.fetchedAt;
  return isSame && events.length <= known.events.length;
}
