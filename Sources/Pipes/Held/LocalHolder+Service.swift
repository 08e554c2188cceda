// A holder that is a service of its own (`fairlead hold`): a file of the state directory names its folder.

import PrivateFiles
import Wire

extension LocalHolder {
  static func sign(ofServiceIn state: String) -> String { state + "/service" }

  /// The service's folder of a state directory; nil: its holders are no services.
  static func service(in state: String) -> String? {
    guard let bytes = try? PrivateFile.read(sign(ofServiceIn: state)) else { return nil }
    let name = String(decoding: bytes, as: UTF8.self)
    return isName(name) ? "\(state)/\(name)" : nil
  }

  /// Whether it is a service: then no node starts it.
  var isService: Bool {
    guard let slash = directory.lastIndex(of: "/") else { return false }
    return Self.service(in: String(directory[..<slash])) == directory
  }

  static func absence(of folder: String) -> StateDirectoryError {
    StateDirectoryError(
      .start,
      "nothing holds terminals in \(folder), and only its service may: start `fairlead hold` with this state directory, or "
        + "remove its file `service`")
  }
}
