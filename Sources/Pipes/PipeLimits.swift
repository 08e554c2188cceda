// Every number that bounds what a pipe may hold, cost or wait for, and why (promise P6).

import Holder
import NIOCore

public enum PipeLimits {
  // MARK: Capacity

  /// Sessions of a node, unless an operator says otherwise: one with more has other troubles than descriptors.
  public static let sessions = 10_000
  /// Descriptors that are not for sessions: event loops, log files, the registry, the listening ports.
  static let reservedDescriptors = 64
  /// Descriptors of a session: it holds one, and a second one while its process does not read what is typed; its
  /// client, or its engine, another.
  static let descriptors = 2

  // MARK: Reading and writing

  /// Reads of a pipe before it looks at whether it is still to be read; and bytes of one: what a channel hands on
  /// without a copy.
  static let reads = 4
  static let read = 16 * 1024
  /// How long output is read after the leader's exit: a background job can hold the terminal open for long.
  static let drain = TimeAmount.milliseconds(200)
  /// Bytes that are read at most when that time is over, or though nobody wants to read on: more than a terminal
  /// holds. A flood is cut there.
  static let rest = 256 * 1024
  /// Until another try is made, if there was no descriptor left for a channel.
  static let writeRetry = TimeAmount.milliseconds(20)
  /// How long it counts what has the terminal's foreground: each look reads a file.
  static let look = TimeAmount.seconds(10)
  /// Bytes of a file of /proc that is read: an environment, whose beginning has the mark.
  static let procFile = 64 * 1024

  // MARK: Starting

  /// Threads that start terminals: a start takes about a millisecond; so many of them may hang before others wait.
  static let startThreads = 8
  /// Starts under way at most, for what each holds (its environment, up to 64 KiB): more than any node is sent
  /// within the time that so many take.
  static let starts = 1_000
  /// A start waits so long for a thread: thousands of times what one takes.
  static let startPatience = TimeAmount.seconds(5)
  /// How long a process may take to execute its program, thousands of times what one takes: its directory or file may
  /// not answer, and its user may have stopped it.
  static let start = TimeAmount.seconds(5)
  /// Of one user, processes that were killed at that and do not end: each keeps what this process's memory was.
  static let stuckStarts = 4
  /// How long a child that is somebody else's in this process is let be before another look.
  static let foreignChild = Duration.milliseconds(10)
  /// A process without children looks so often whether orphans have been handed to it.
  static let orphans = Duration.seconds(5)
  /// Bytes of a user's entry in the accounts, and groups that the user is in: the kernel takes no more (NGROUPS_MAX).
  static let account = 16 * 1024
  static let groups = 65_536

  // MARK: Held terminals

  /// A holder answers so soon: it never waits for anything. A node that starts waits no longer.
  static let holderPatience = TimeAmount.seconds(5)
  /// From a question to the whole answer: a start has 5 s in the holder, and a checkpoint of many megabytes comes
  /// through a relay.
  static let holderAnswer = TimeAmount.seconds(30)
  /// Notes of sessions that are being ended which a start of a node reads: one for each that it may have.
  static let endingNotes = sessions
  /// Seconds that such a note is kept whose holder does not go on: as long as tombstones, which tell how sessions ended.
  static let endingNoteAge = 7.0 * 86_400
  /// Between two looks whether a holder was heard of, and after which silence those who look at its terminals are told:
  /// two of its questions, five seconds apart, have not come.
  static let hearingLook = TimeAmount.seconds(2)
  static let stall = TimeAmount.seconds(12)
  /// Bytes of all descriptors in a listing: 10,000 sessions with 6 KiB each. What no node of ours has signed is not kept.
  static let listing = 64 * 1024 * 1024
  /// Bytes of memory for what is said to a holder that a connection keeps between two ticks: some keystrokes. There may be
  /// a connection for each container.
  static let keptFrames = 2 * 1024
  /// Bytes that a holder of ours sends beyond what was granted: those of a turn, and what a terminal held at its end.
  static let heldOverrun = HolderLimits.drained + 64 * 1024
  /// Lines in the log about one connection to a holder in so much time: a holder may be forged, and says what it likes.
  static let complaints = 8
  static let complaintTime = TimeAmount.minutes(1)
  /// A start whose answer was lost and that the holder does not list is waited for so long: a child has
  /// `HolderLimits.start` to come to its exec. And the time between two looks.
  static let lostStart = TimeAmount.seconds(6)
  static let lostStartInterval = TimeAmount.milliseconds(250)
  /// How long a node that starts waits for the process before it to leave.
  static let lockPatience = Duration.seconds(5)
  /// Microseconds between two looks whether it has left.
  static let lockInterval: UInt32 = 20_000
  /// How long a node that starts waits for the service that holds its terminals: both may be started at once, on a
  /// machine that has just been.
  static let servicePatience = Duration.seconds(30)
  /// From SIGHUP to SIGKILL where an operator ends what a holder keeps: time for an editor to save its swap file.
  static let endingGrace = TimeAmount.seconds(2)
  /// … and until what has not ended by then is told: what survives SIGKILL waits for a device.
  static let endingAll = TimeAmount.seconds(15)
  /// Between two tries to reach one whose connection has broken.
  static let holderRetryFirst = Duration.milliseconds(20)
  static let holderRetryLast = Duration.seconds(1)
  /// One that cannot be reached for so long is told as gone: what it has is found again when the node starts anew.
  static let holderGone = TimeAmount.seconds(30)
  /// How often a terminal's input is discarded for a key that interrupts, and the time between: it holds 4 KiB, and the
  /// kernel has 8 KiB more on their way to it.
  static let discards = 4
  static let discardInterval = TimeAmount.milliseconds(10)
  /// Clients of a session whose input is known: four times what the holder remembers.
  static let heldLedgers = 4 * HolderLimits.ledgers
  /// Clients whose hashes are kept.
  static let clientKeys = 4_096
  /// Bytes of a checkpoint that are written at once: a keystroke waits behind one part.
  static let checkpointPart = 64 * 1024
  /// Microseconds that a holder's epoch may be ahead of this machine's time: clocks differ by less than a day.
  static let epochAhead: UInt64 = 86_400_000_000
  /// Bytes of starts that a holder has not answered yet, for each loop: one that does not read would have them kept here.
  static let askedStarts = 16 << 20
  /// A holder's pings are answered so often at most; it sends one each five seconds.
  static let pingInterval = TimeAmount.seconds(1)
  /// Versions of the holder's program whose folders are looked at in a state directory.
  static let localHolders = 32
  /// Nodes of this machine whose terminals a node takes over, and whose holders it names in its record; entries of their
  /// common directory that it looks at, and how often.
  static let siblings = 16
  static let siblingEntries = 1_000
  static let siblingInterval = Duration.seconds(5)
  /// A node that starts waits so long for another one's holder to say what it has, and then goes on to ask.
  static let siblingSilence = TimeAmount.milliseconds(500)
  /// A relay into a container, or a connection to an older holder, that no session needs for so long is closed.
  static let relayIdle = TimeAmount.seconds(30)
  /// Holders in containers that are remembered, and failures to have one; the latter for so long.
  static let containerHolders = 10_000
  static let holderFailure = Duration.seconds(60)
  /// Tries to start one that has just been put there: another node may be putting it there at the same moment.
  static let holderStarts = 3
  /// Bytes of a socket's path, with its end, as the kernel has them (sun_path).
  static let socketPath = 108
  /// Bytes of the folder in which one is: a socket's path takes no more.
  static let holderDirectory = 100
  /// A node that starts waits so long for an engine to say what is kept in its containers, and then goes on to ask.
  static let keptPatience = TimeAmount.seconds(5)
  /// … one of whose holders may take so long of it.
  static let keptSilence = TimeAmount.seconds(3)

  // MARK: Docker

  /// Bytes of a container's id or name: an id has 64, and nobody types twice that.
  static let containerName = 128
  /// From a request to an engine to its answer: one that starts a hundred processes at once takes many seconds for
  /// each.
  static let engineDeadline = TimeAmount.seconds(30)
  /// Bytes of an engine's answer: the longest is the list of a host's containers.
  static let engineAnswer = 16 * 1024 * 1024
  /// Bytes of an engine's answer to a start, which is an error's message, and to a ping.
  static let startAnswer = 64 * 1024
  static let pingAnswer = 4 * 1024
  /// An engine that is well answers a ping at once.
  static let ping = TimeAmount.seconds(5)
  /// How often an engine is looked at.
  static let engineInterval = Duration.seconds(5)
  /// Pings in a row that fail before an engine counts as away: a busy one may be late once.
  static let engineFailures = 2
  /// How long a killed process may take to go, and a busy engine to tell, before the engine is asked and the process is
  /// killed again; and how often that is waited for before the process is given up as orphaned: a full disk or
  /// a full machine holds an engine up for longer than it takes to kill.
  static let lastWait = TimeAmount.seconds(15)
  static let lastWaits = 4
  /// Between SIGHUP and SIGKILL of what a dead incarnation left.
  static let sweepGrace = Duration.milliseconds(500)
  /// Containers that a sweep looks into at a time: a host may have thousands.
  static let engineCalls = 8
  /// Execs of one container whose user a sweep asks for, how long it goes on asking, and users as whom it looks into
  /// one: each costs a call or two, and containers have a handful.
  static let sweptExecs = 1_000
  static let sweptExecsDeadline = Duration.seconds(30)
  static let sweptUsers = 32
  /// The container runtime's reason for not starting a process comes in the stream within this time.
  static let startReason = TimeAmount.seconds(10)
  /// Bytes of that reason which are told.
  static let startReasonLength = 1_000
  /// Questions to an engine whether an exec runs, and with which exit code it has ended; and the time between two of
  /// them, doubled with each: it learns of either a moment later.
  static let startQuestions = 10
  static let exitQuestions = 8
  static let questionInterval = Duration.milliseconds(10)
  /// Milliseconds between looks for an exec's process on this machine, while its environment still shows the mark.
  static let looks = [0, 20, 200, 2_000]
  /// Between two tries to end what could not be ended: as often as the engine is looked at, then half as often each
  /// time, up to this.
  static let longestPause = Duration.seconds(60)
  /// What cannot be ended, or looked for, is tried for so long: an engine that is away for longer, or a container whose
  /// shell does not work, takes an operator.
  static let leftoverPatience = Duration.seconds(86_400)
  /// Of those that wait: each costs an exec a minute at least.
  static let leftovers = 1_000
}
