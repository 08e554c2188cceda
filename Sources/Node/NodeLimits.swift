// Every number that bounds what a node may hold or wait for beside its sessions, and why (promise P6). A session's own
// are in `SessionLimits`.

public import NIOCore
import Registry
import Wire

public enum NodeLimits {
  /// Pages whose addresses are reserved at a time: a mebibyte.
  static let slabPages = 256
  /// Free pages that a node keeps for the next sessions: a log's worth. The rest goes back to the system.
  public static let warmPages = 256
  /// Free pages go back to the system after so long: sessions often end in numbers, and others begin.
  public static let tidying = Duration.seconds(1)
  /// A refused link is logged again after this time.
  static let repeatedRefusal = TimeAmount.minutes(1)
  /// Bytes of the name of a router whose link was refused, in the log.
  static let peerName = 64
  /// OPENs that may wait for one session's start.
  public static let waitingOpens = 64

  /// In a flood, what is less than a frame waits for one to two of these to become one: a terminal hands out
  /// 4 KiB at a time, and each frame costs the router and the client as much as a keystroke does. So long a key's
  /// acknowledgement waits for the echo, too, of a session without a holder: a program that draws answers sooner.
  static let waitForMore = TimeAmount.milliseconds(2)
  /// From SIGHUP to SIGKILL when a session is ended: time for an editor to save its swap file.
  public static let grace = TimeAmount.seconds(2)
  /// A node that starts waits so long for its registry: a Redis that starts with it gets its time, and
  /// an operator who mistyped an address soon knows.
  public static let registrationPatience = Duration.seconds(10)
  /// Between two tries to register.
  public static let registrationInterval = Duration.milliseconds(500)
  /// Milliseconds until a client whose OPEN a node could not take now tries again.
  static let retry = 1_000
  /// Milliseconds until it tries again while the node asks its holder what it has, which takes some milliseconds.
  static let retrySoon = 100
  /// Milliseconds until it tries again after a full node refused it: only the end of a session makes room.
  static let retryFull = 2_000
  /// Between two tries to release an ended session's record.
  static let releaseFirst = Duration.seconds(1)
  static let releaseLast = Duration.seconds(30)
  /// Records of lost sessions that a node releases at a time: a fraction of the commands that a connection takes.
  static let lostAtOnce = 200
  /// A node that stops gives its clients so long to read the end of what their sessions printed.
  public static let farewell = Duration.seconds(2)
  /// A node that stops waits so long for what it is starting, so that no process of an engine is left: as long as
  /// one of its own processes has to end.
  static let lastStarts = grace
  /// A node waits so long before it asks an engine or a holder again that did not say what it keeps; and this at most where
  /// only containers are silent: one may be paused for days, and its clients wait for no longer once it goes on.
  static let restoringFirst = Duration.seconds(5)
  static let restoringLast = Duration.seconds(30)
  /// For so long after the start a session that somebody has attached may be one of this node's last process, of whose end
  /// its holder has not heard: longer than holders wait for a silent node.
  static let attachedPatience = TimeAmount.seconds(30)
  /// How often a node looks for sessions in containers that no node has, and how many records it reads then.
  static let adoptionInterval = Duration.seconds(5)
  static let adoptedAtOnce = 2_000
  /// For so long it looks for a session that it has put back itself: the record is free once the registry has been told,
  /// which may take some tries.
  static let putBackPatience = Duration.seconds(60)
  /// Sessions that it takes over at a time, unasked: each costs its engine some calls.
  static let takenAtOnce = 50
  /// How long what a holder has said counts for sessions that are taken over after it: a node that dies leaves many, and
  /// whether one of them is still there shows when it is attached.
  static let lookAge = TimeAmount.seconds(2)
  /// The registry has answered for so long before sessions are taken over unasked: every node that lives has renewed its
  /// lease by then, and counts as dead else.
  static let adoptionPatience = Duration.milliseconds(Lease.takeover)
  /// Sessions of a loop that a node hands over at a time: each costs the one that takes it over some milliseconds.
  static let movedAtOnce = 50
  /// Between two rounds of a node that is being drained.
  static let movingInterval = Duration.milliseconds(500)
  /// A node that is offered sessions has so long to say whether it is ready for them: a relay takes an engine a second
  /// or two.
  static let movePatience = Duration.seconds(8)
  /// A node that is stopped spends so long on moves at most: engines and service managers kill after ten seconds.
  static let farewellMoves = Duration.seconds(4)
  /// A session that moves waits so long for its last checkpoint at most: one with the longest scrollback takes a tenth of
  /// that, and without it the next node has more to read.
  static let lastCheckpoint = TimeAmount.milliseconds(500)
  /// How often a node looks whether it is offered any, and how often once it is, and who offers looks for the answer.
  static let offerInterval = Duration.seconds(1)
  static let offerLook = Duration.milliseconds(50)
  /// Sessions that a loop gets ready for at a time: each keeps its descriptor, of some KiB. Four nodes can be drained at
  /// once.
  static let preparations = 4 * movedAtOnce
  /// A node that stops waits so long for a registry to take the records of its sessions: one that answers takes
  /// milliseconds for each, and what it has not taken it knows as lost when the lease runs out.
  static let lastReleases = Duration.seconds(5)
  /// Between two looks at what a node that stops waits for.
  static let leavingInterval = Duration.milliseconds(5)
  /// Keys that Redis throws away are warned of again after this time.
  static let repeatedEviction = Duration.seconds(60)
  /// Lines of scrollback in one answer of the API.
  public static let shownScrollback = 10_000
  /// Such answers that a loop makes at a time: each holds a copy of a screen, and of its text up to `answer`.
  public static let shownAtOnce = 8
  /// Bytes of a screen as text in one answer: a screen of 200 × 50 with 1,000 lines of scrollback, every
  /// cell in another one of 256 colours, is under two thirds of it.
  public static let answer = 4 * 1024 * 1024
  /// Bytes of a text in one part of an answer: they fit in a frame however JSON escapes them.
  static let textPart = 2_048
  /// Answers to the API under way on one link, made as they are sent.
  public static let waitingAnswers = 256
  /// What the screens of a loop may take of a tick: with one slice more (``Screen/workPerCall``) under 5 ms.
  public static let screenTime = TimeAmount.milliseconds(3)
  /// Between two rounds of turns at the screens: the loop looks at its sockets and pipes.
  public static let screenPause = TimeAmount.microseconds(100)
  /// Work of one session after the screens have had their time in a tick: some thousands of characters.
  public static let screenEcho = 20_000
  /// How often sessions are looked at by the reaper.
  public static let reaperInterval = TimeAmount.seconds(2)
}
