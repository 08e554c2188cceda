// Where Fairlead's files of one user are.

import Glibc

/// The folder `fairlead` in that of an environment's variable, else in one of the user's home; nil: neither is known.
func userFolder(_ variable: String, orInHome place: String) -> String? {
  func path(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.first == "/" ? $0 : nil }
  }
  return (path(variable) ?? path("HOME").map { "\($0)/\(place)" }).map { $0 + "/fairlead" }
}
