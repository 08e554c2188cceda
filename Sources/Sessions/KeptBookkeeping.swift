// What a session that is kept has to remember of that: what its holder has, and what it will get next.

import DequeModule
import NIOCore
import Screen
import Wire

/// What a session has to remember since it is kept.
struct KeptBookkeeping {
  /// Queries before this offset are answered, also where the output is read again.
  let answered: UInt64
  /// The output's end when the session was made again.
  let end: UInt64
  /// Changes of size that the pipe has told, and how much of the unread output comes before each.
  var sizes: Deque<(after: Int, size: TerminalSize)> = []
  /// The pipe was asked for a change of size, and has not told of it.
  var isSizeUnderWay = false
  /// The offset of the checkpoint that was left last.
  var checkpoint: UInt64
  /// The length of that checkpoint in bytes, if it told the whole scrollback; otherwise 0.
  var checkpointBytes = 0
  /// A checkpoint without the scrollback. It is left once every line of the scrollback has been printed after it.
  var young: YoungCheckpoint?
  /// A checkpoint that is being made. The session reads nothing meanwhile.
  var making: CheckpointMaker?
  /// How many lines of the scrollback go into a checkpoint, and how many bytes it may have.
  var scrollback = Int.max
  var most = SessionLimits.checkpoint
  var isQuietCheckSet = false
  /// When the oldest answer that is not written yet was given.
  var unansweredSince: NIODeadline?
  /// The theme that the state tells.
  var colors: ThemeColors?
  /// Bytes that the holder's log has room for.
  private let room: UInt64

  /// So many of the parts that the room is counted in, in bytes.
  func roomOf(_ parts: UInt64) -> UInt64 { room / SessionLimits.roomParts * parts }

  init(_ kept: KeptSession, _ settings: SessionSettings) {
    answered = kept.answered
    end = kept.end
    checkpoint = kept.offset
    colors = kept.state.colors
    room = UInt64(max(kept.logLimit ?? settings.logLimit, SessionLimits.logPage))
  }
}

/// A checkpoint of some time ago, without the scrollback of then.
struct YoungCheckpoint {
  let bytes: ByteBuffer
  let size: TerminalSize
  let offset: UInt64
  let mark: ScrollbackMark
}

/// A checkpoint that is being made, in slices.
struct CheckpointMaker {
  let snapshot: ScreenSnapshot
  let size: TerminalSize
  let offset: UInt64
  let mark: ScrollbackMark
  /// It is without the scrollback, and kept until that is younger.
  let isYoung: Bool
  var bytes = ByteBuffer()
}
