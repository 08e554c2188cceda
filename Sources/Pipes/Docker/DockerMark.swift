// The mark that tells whose a process in a container is: a variable in its environment, which its
// children inherit. The engine has no call that ends an exec, and the process number that it tells is
// one of its own host; so a process is only ever signalled where its environment shows the mark.
//
//     FAIRLEAD_MARK=registry/cluster/node/incarnation/session/nonce/
//
// `registry` is the random identity of the node's registry.

import Wire

struct DockerMark: Sendable, CustomStringConvertible {
  static let variable = "FAIRLEAD_MARK"

  /// The whole entry of the environment. It ends in a slash, so that none begins another.
  let entry: String

  init(scope: String, incarnation: Incarnation, session: SessionID) {
    entry = Self.prefix(scope: scope, incarnation: incarnation) + "\(session)/\(Life.random())/"
  }

  var value: String { String(entry.dropFirst(Self.variable.count + 1)) }
  var description: String { entry }

  /// What the entries of all incarnations of a node begin with.
  static func prefix(scope: String) -> String { "\(variable)=\(scope)/" }

  static func prefix(scope: String, incarnation: Incarnation) -> String {
    prefix(scope: scope) + "\(incarnation)/"
  }

  /// Finds the processes whose environment shows $1 and sends them the signals of $2; prints what
  /// follows $1 up to the next slash, each once; exits with 3 if there are none. Only what every
  /// shell has built in: a container may hold little else. `read` drops the zero bytes.
  static let script = """
    sought=$1 signals=$2 found= names=
    for process in /proc/[0-9]*; do
      [ -r "$process/environ" ] || continue
      while IFS= read -r text || [ -n "$text" ]; do
        case $text in
        *"$sought"*)
          found="$found ${process#/proc/}"
          rest=${text#*"$sought"} name=${rest%%/*}
          case " $names " in *" $name "*) ;; *) names="$names $name" ;; esac
          break ;;
        esac
      done <"$process/environ"
    done 2>/dev/null
    [ -n "$found" ] || exit 3
    for signal in $signals; do kill -s "$signal" $found; done 2>/dev/null
    echo $names
    """

  /// The command that runs ``script`` in a container.
  static func command(seeking sought: String, sending signals: [PipeSignal]) -> [String] {
    // A stopped process gets no SIGHUP before it goes on.
    let names = signals.map(\.name) + (signals.contains(.hangup) ? ["CONT"] : [])
    return ["/bin/sh", "-c", script, "fairlead", sought, names.joined(separator: " ")]
  }
}

extension PipeSignal {
  /// As kill(1) calls it.
  var name: String {
    switch self {
    case .hangup: "HUP"
    case .kill: "KILL"
    }
  }
}
