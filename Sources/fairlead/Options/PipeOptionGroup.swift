// The options of all kinds of pipes as the command line takes them, and the starters that are made from them. What
// they are, each kind says itself (PipeKinds).

import ArgumentParser
import Logging
import Pipes
import Wire

/// The parser learns a group's options from its properties by reflection. This group has one for each option of the
/// table, so that a kind's options stand in the kind's folder alone.
struct PipeOptionGroup: ParsableArguments, CustomReflectable {
  private(set) var options = PipeOptions()

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init() {}

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    for option in PipeKinds.standard.options {
      options[option.name] = try values.decode(
        String.self, forKey: Key(stringValue: option.name))
    }
  }

  var customMirror: Mirror {
    let properties = PipeKinds.standard.options.map { option in
      (label: option.name as String?, value: Self.property(option) as Any)
    }
    return Mirror(self, children: properties, displayStyle: .struct)
  }

  private static func property(_ option: PipeOption) -> Option<String> {
    let variable = option.name.uppercased().replacing("-", with: "_")
    return Option(
      wrappedValue: environment(variable) ?? "", name: .customLong(option.name),
      help: ArgumentHelp(option.help, valueName: option.value))
  }

  func validate() throws {
    if let problem = PipeKinds.standard.problem(with: options) { throw ValidationError(problem) }
  }
}
