// Every number that bounds what a command of the command line or a role may hold or wait for, and why.

import NIOCore

enum CommandLimits {
  // MARK: roles

  /// Event loops of a process: each is a thread, and a node has a port for each.
  static let loops = 1...256

  // MARK: attach

  /// An interruption shorter than this is not worth a sign.
  static let signDelay = Duration.milliseconds(400)
  /// An input that ends, and into which something was typed, leaves once nothing was printed for so long.
  static let quiet = Duration.seconds(1)
  /// The end of a connection, and what gives the terminal back, may be held up for so long by a peer, or a terminal,
  /// that takes nothing.
  static let goodbye = Duration.seconds(2)
  static let restoration = Duration.seconds(1)
  /// Bytes of what gives the terminal back where the process is killed by a signal: many times what a program sets.
  static let emergencyBytes = 4_096
  /// Bytes of what was typed and not delivered that are shown: some lines, and not a whole paste.
  static let shownInput = 1_000
  /// Bytes that are read from the standard input at once: many keys, and a part of a paste.
  static let inputRead = 16 * 1024
  /// Milliseconds of one wait for a standard output that takes nothing now; then it is tried all the same.
  static let outputPoll: Int32 = 1_000
  /// Bytes of a terminal's reply; what grows beyond is none.
  static let reply = 8 * 1024
  /// Queries whose reply is awaited; a terminal that answers none of them must not make them pile up.
  static let repliesDue = 1_000
  /// Bytes of a sequence that are looked at for what is to be undone: more than its beginning is not needed.
  static let sequence = 256
  /// Private modes that are set and that the model of a screen does not know.
  static let modes = 64
  /// Keyboard flags that are pushed, by kitty's protocol: terminals keep no more.
  static let keyboardFlags = 32
  /// Bytes of a snapshot behind what makes a terminal fresh, in which the colours are looked for: they follow behind a
  /// mode or two.
  static let beginning = 128
  /// Lines of a session that are printed as text: more than its scrollback has.
  static let printedLines = 100_000

  /// Milliseconds that more is waited for behind a lone Esc: a user who presses the key wants to have it pressed.
  static let escapePause = 30
  /// Milliseconds that the rest of a control sequence is waited for: a key's comes in one piece.
  static let sequencePause = 100
  /// Milliseconds that the rest of a string is waited for: a reply of some length may come in several pieces.
  static let stringPause = 500
  /// Bytes of a control sequence of the keyboard; a longer one is no key's, and no reply's.
  static let keySequence = 64
  /// Parameters of a key's sequence, and parts of each, that are looked at: kitty's protocol has three of three.
  static let keyParameters = 8
  /// The number of the highest private mode that is undone: programs know none above.
  static let highestMode = 99_999

  // MARK: Other commands

  /// Characters of the longest word that is compared with what was typed: longer than any command or option.
  static let meantWord = 64
  /// Slips of the hand in a word, at most, of which it is still known.
  static let slips = 3
  /// Days that certificates are good for at most, and those of an authority: ten years.
  static let certificateDays = 3_650
  /// Seconds for which a certificate is good before it was made, for clocks that are behind: an hour.
  static let certificateSkew: Int64 = 3_600
  /// Words of `new` among which the beginning of its program is looked for.
  static let dividedWords = 64
  /// Bytes of the line that shows where: more is nothing to read.
  static let dividedLine = 200
  /// The same reason to wait is said again after so long: it is still waited.
  static let waitInterval = Duration.seconds(10)
  /// Between two looks at what a drained node still has.
  static let drainInterval = Duration.seconds(1)
  /// For `certs show` to connect.
  static let connect = TimeAmount.seconds(5)
  /// Bytes of a `--token-file`: twice the longest token.
  static let tokenFile = 16 * 1024
  /// Sessions that `kill --all` ends at a time: one node's link takes them in milliseconds.
  static let killsAtOnce = 16
  /// Between two words of how far it has come.
  static let progressInterval = Duration.seconds(1)
  /// Between two looks for events that came since, and how many come at once at most, as the API has it.
  static let followInterval = Duration.seconds(1)
  static let eventsAtOnce = 1_000
  /// Between two looks whether a key was pressed in `top`: it is not felt.
  static let keyInterval = Duration.milliseconds(50)
  /// Names that are told of many.
  static let examples = 5
  /// Names that `ring` tries: few enough for a second or two with a hundred nodes.
  static let ringSamples = 100...1_000_000
  /// Of its capacity or memory, from which on something is nearly full for `check`.
  static let fullness = 0.9
  /// Milliseconds after which an answer of Redis's is slow for `check`: a create waits for three of them.
  static let slowRedis = 100.0
  /// Milliseconds that clocks may differ for `check`: leases go by Redis's own clock, but tokens and lists do not.
  static let clockSkew = 5_000
  /// A router that is asked because another did not answer.
  static let otherRouter = TimeAmount.seconds(5)
  /// Who gave no answer for longer than the first is not asked again for as long as the second: a command asks several
  /// questions, and would wait as long for each.
  static let noticedWait = Duration.seconds(1)
  static let silence = Duration.seconds(30)
  /// Seconds that the token of a command's own router is good for: a command that is watched makes a new one each time.
  static let ownToken = 3_600.0
  /// Bytes of the file of what was last seen of a cluster: some thousand nodes. And of its name, those of the API's URL
  /// that tell it from others.
  static let memory = 1024 * 1024
  static let memoryName = 100

  // MARK: Roles

  /// The share of sessions that an operator may give a node relative to others: more tells nodes apart no further.
  static let weight = 1_000.0
  /// Sessions that an operator may let a node have: more than a machine has memory for.
  static let capacity = 1_000_000
  /// Bytes of a password's file that are read: many times a password. It may be a pipe.
  static let passwordFile = 4_096
  /// What who has the address of a node or a `serve` takes to leave: sessions get 2 s to end and clients 2 s to read
  /// and 2 s to go, and some more.
  static let departure = Duration.seconds(10)
  /// The same of a router, beside its `--drain-delay`: clients get 2 s to go, and some more.
  static let routerDeparture = Duration.seconds(5)
  /// Between two looks whether it has left.
  static let departureInterval = Duration.milliseconds(100)
  /// How long clients get to leave after GOAWAY.
  static let goAway = Duration.seconds(2)
  /// Seconds that the token in the file of `serve` is good for, and how often it is renewed: a copy of the file is
  /// soon worth nothing.
  static let serveToken = 2 * 86_400
  static let serveTokenRenewal = Duration.seconds(43_200)
}
