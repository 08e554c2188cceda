// Types of fairlead.js.

/** Where a terminal may be started: `pty`, or a kind and a place of it, such as `docker:web1`. */
export type Target = 'pty' | `${string}:${string}`;

/** `#rrggbb` each. */
export type Colors = { foreground?: string; background?: string; cursor?: string };

export interface OpenOptions {
  /** Under which the page remembers the session, in local storage per page path. */
  key?: string;
  /** The session's id, `[A-Za-z0-9_-]{1,64}`; a random one if absent. */
  session?: string;
  /** False: attach only. True (default): start it if it does not exist. */
  create?: boolean;
  /** What to start it with. */
  target?: Target;
  command?: string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Whom it runs as, a name or a number in digits, where the token and the node allow it. */
  user?: string;
  /**
   * How long it may be without a client and without output, how long its end is remembered, and how long it may run:
   * `90s`, `15m`, `2h`, `1d`, or `never` (not for `keep`). The node's own if absent.
   */
  idle?: string;
  keep?: string;
  timeout?: string;
  /** Only on a node with these labels, at most 16. */
  labels?: Record<string, string>;
  /** True: it must not exist yet. If it does, `refused` says `exists`. */
  exclusive?: boolean;
  /** 1 to 1,000 each; 80 and 24 if absent. */
  cols?: number;
  rows?: number;
  /** A watcher may only look. Driver if absent. */
  mode?: 'driver' | 'watcher';
  /** For programs that ask for the theme's colours; `setColors` changes them. */
  colors?: Colors;
  /** True: `ack` is called by the page. False (default): output counts as shown at once. */
  manualAck?: boolean;
}

/** An exit code, or the number of the signal that ended the process. */
export type ExitStatus = { code: number } | { signal: number };

/** Who is attached; `sub` where this client's token lets it know. */
export type Viewer = { client: string; mode: 'driver' | 'watcher'; sub?: string };

export interface TerminalState {
  name:
    | 'connecting'
    /** Bytes flow. */
    | 'live'
    /** The server lost its link to the session's node and opens it again. */
    | 'paused'
    /** The connection was lost; the next attempt is at `retryAt`. */
    | 'reconnecting'
    /** The session cannot be opened just now; it is asked for again at `retryAt`. */
    | 'postponed'
    /** The token, or its owner, was refused: nothing is tried until `Fairlead.reconnect`. */
    | 'stopped'
    | 'ended' | 'refused' | 'closed';
  reason?: string;
  /** By `performance.now()`. */
  retryAt?: number;
}

export interface Trouble {
  kind:
    /** The server is to be told that this page's origin may connect. */
    | 'origin'
    /** There is no token, or it was not taken. */
    | 'token'
    /** The page came by https, and the server has no TLS. */
    | 'mixed'
    /** The page's Content-Security-Policy forbids the connection, or the styles of xterm.js. */
    | 'policy' | 'styles'
    /** Nothing answers there, or something that passes no WebSocket on. */
    | 'silent' | 'proxy';
  /** What to do, in a sentence. */
  message: string;
}

export interface TerminalEvents {
  /** The pipe's bytes from `offset` on: each once, in order. They may begin and end in a character. */
  output: { offset: number; bytes: Uint8Array };
  /** A part of what makes a terminal show the session; the first part resets it. */
  snapshot: { first: boolean; last: boolean; offset: number; cols: number; rows: number;
    bytes: Uint8Array };
  /** The terminal changes size exactly here in the output. */
  size: { cols: number; rows: number; offset: number };
  state: TerminalState;
  /** The session was attached to, for the first time or again. */
  opened: { session: string; life: string; created: boolean;
    resumed: 'exact' | 'snapshot' | 'new'; mode: 'driver' | 'watcher'; state?: 'running' | 'ended';
    /** What of `target`, `command`, … is not as this OPEN asked: the session existed. */
    differs?: string[] };
  /** Another process runs under the session's id now. */
  life: { before: string; after: string };
  /** Typed bytes of which nobody knows whether they arrived; they are not sent again. */
  doubt: { bytes: Uint8Array; reason: 'other_life' | 'forgotten' | 'too_long' };
  /** Before its end was known these bytes were typed: the first `sent` of them may have arrived, the others did not. */
  undelivered: { bytes: Uint8Array; sent: number };
  /** Why there is no connection, and what to do about it. */
  trouble: Trouble;
  /** So many bytes were not typed, since so many wait already. */
  full: { bytes: number; waiting: number };
  /** An interrupt was typed: these bytes had not been sent yet, and will not be. */
  discarded: { bytes: Uint8Array };
  /** So many control characters of a paste, or of an input method's text, were made symbols. */
  neutralised: { count: number };
  /** `kill()` is not allowed to this client. */
  denied: { message: string };
  title: string;
  /** The terminal stands still, since what holds it does not answer its server; without a reason: it goes on. */
  stalled: { reason?: string };
  /** Who is attached, and whose size the terminal has. */
  viewers: { viewers: Viewer[]; owner?: string };
  /** Last: the process has ended. */
  ended: { reason: string; status?: ExitStatus; message?: string };
  /** Last: the session could not be opened, or not again. */
  refused: { code: string; message: string; status?: ExitStatus };
  /** It was left, here (`done`) or for a newer stream of the same client (`superseded`: see `Fairlead.takeBack`). */
  closed: { reason: string };
}

export class FairleadTerminal {
  readonly session: string;
  readonly life?: string;
  readonly key?: string;
  readonly mode: 'driver' | 'watcher';
  readonly size: { cols: number; rows: number };
  readonly state: TerminalState;
  readonly title: string;
  /** The last `trouble` that kept it from connecting, until there is a connection. */
  readonly trouble?: Trouble;
  /** Why it stands still, though there is a connection. */
  readonly stalled?: string;
  readonly viewers: Viewer[];
  /** The ClientID whose size the terminal has. */
  readonly owner?: string;
  readonly isOver: boolean;
  /** Bytes typed and not yet known to be in the pipe. */
  readonly unacknowledged: number;
  acknowledging: 'auto' | 'manual';
  on<Name extends keyof TerminalEvents>(
    name: Name, listener: (detail: TerminalEvents[Name]) => void): () => void;
  /**
   * False, and nothing was typed: a watcher, an end, or more than 16 MiB waiting (`full`). Ctrl-C, Ctrl-\ or Ctrl-Z as the
   * only byte takes the place of what waits to be sent (`discarded`).
   */
  write(data: string | Uint8Array): boolean;
  /** Types text from outside; `isBracketed`: the program asked for pastes in frames. False as for `write`. */
  paste(text: string, options?: { isBracketed?: boolean }): boolean;
  resize(cols: number, rows: number): void;
  setColors(colors: Colors): void;
  /** Makes this client's size the terminal's, as soon as there is a connection. */
  take(): void;
  ack(bytes: number): void;
  close(): void;
  /** Ends the session, if need be by the next connection or the next page; `ended` follows, or `denied`. */
  kill(): void;
}

export interface ClusterState {
  name: 'idle' | 'connecting' | 'open' | 'waiting' | 'stopped' | 'closed';
  /** Of `open`: why the other token that the server asked for could not be had. */
  reason?: string;
  retryAt?: number;
}

export class Fairlead {
  constructor(url?: string, options?: {
    /**
     * A function is asked before each connection, and when the server wants another token. If what it throws has
     * `isFinal: true`, the state is `stopped` at once, with its message as the reason.
     */
    token?: string | (() => string | Promise<string>);
    client?: string;
  });
  readonly client?: string;
  readonly state: ClusterState;
  /** The last round trip, in milliseconds. */
  readonly latency?: number;
  readonly terminals: FairleadTerminal[];
  readonly memory: {
    all(): Record<string, { session: string; life?: string; [extra: string]: unknown }>;
    set(key: string, extra: Record<string, unknown>): void;
    forget(key: string): void;
  };
  on(name: 'state', listener: (state: ClusterState) => void): () => void;
  on(name: 'latency', listener: (milliseconds: number) => void): () => void;
  /** A terminal was left after `kill()`, and its session may not be ended. */
  on(name: 'denied', listener: (detail: { session: string; message: string }) => void): () => void;
  /** Each kind once; on the browser's console if nobody listens. */
  on(name: 'trouble', listener: (trouble: Trouble) => void): () => void;
  open(options?: OpenOptions): FairleadTerminal;
  /** Takes up a terminal that was closed as `superseded`; this tab has another ClientID from then on. */
  takeBack(terminal: FairleadTerminal): boolean;
  /** Connects now instead of at the time announced; after `stopped`, with another token. */
  reconnect(options?: { token?: string }): void;
  close(): void;
}
