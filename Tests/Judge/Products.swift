// Where the executables are that were built with the tests.

import Foundation

public enum Products {
  public static func path(_ name: String) -> String {
    // Test bundle and executables lie in one folder.
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
  }
}
