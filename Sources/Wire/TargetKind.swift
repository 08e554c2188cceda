// How targets of each kind are written, for all who read them: commands, routers, nodes. Pure.

/// One kind of target.
public struct TargetKind: Sendable {
  /// What stands before the colon. Nodes that can start it announce a label of this name, with the value `true`.
  public let name: String
  /// How it is written, such as `docker:CONTAINER`.
  public let form: String
  /// What a place of it is, in words: "a container's name has 2 characters or more"; nil: the form says it all.
  public let rule: String?
  /// Arguments of `fairlead new` that show its use, without `fairlead new`.
  public let examples: [String]
  /// What is told of it where nodes live and none can start it, since waiting brings none; nil: one may come.
  public let absence: String?
  /// Whether `place` is one of this kind. Of several spellings of a place only one may be: a token's rules
  /// are compared with it as it is written.
  public let isPlace: @Sendable (_ place: String?) -> Bool

  public init(
    _ name: String, form: String, rule: String? = nil, examples: [String] = [],
    absence: String? = nil, isPlace: @Sendable @escaping (_ place: String?) -> Bool
  ) {
    self.name = name
    self.form = form
    self.rule = rule
    self.examples = examples
    self.absence = absence
    self.isPlace = isPlace
  }
}

/// The kinds that a process knows.
public struct TargetKinds: Sendable {
  public let all: [TargetKind]

  public init(_ all: [TargetKind] = []) { self.all = all }

  public subscript(name: String) -> TargetKind? { all.first { $0.name == name } }

  /// `pty, or docker:CONTAINER`.
  public var form: String { listed(all.map(\.form), ", or ") }

  /// How a target is written that was to be `target`, and is not: by the rule of its kind, if it is known.
  public func form(insteadOf target: Target) -> String { self[target.kind]?.rule ?? form }

  private func misuse(_ target: Target) -> String {
    let rule = self[target.kind]?.rule.map { $0 + "; " } ?? ""
    return "create.target: \(rule)a target is \(listed(all.map { "\"\($0.form)\"" }, " or "))"
  }

  private func listed(_ forms: [String], _ last: String) -> String {
    (forms.dropLast(2) + [forms.suffix(2).joined(separator: last)]).joined(separator: ", ")
  }

  /// Whether `target` is of a kind that is known here, and well written.
  public func knows(_ target: Target) -> Bool { self[target.kind]?.isPlace(target.place) ?? false }

  /// Why no node needs to be asked for `target`; nil: none of that is known here. A kind that is not known may be
  /// a newer node's, and is then checked there.
  public func problem(of target: Target) -> Refused? {
    guard let kind = self[target.kind], !kind.isPlace(target.place) else { return nil }
    return Refused(.badRequest, misuse(target))
  }

  /// The answer where nodes live, and none announces the kind of `target`; nil: one may come.
  public func absence(of target: Target) -> Refused? {
    guard let kind = self[target.kind] else {
      return all.isEmpty ? nil : Refused(.badRequest, misuse(target))
    }
    return kind.absence.map { Refused(.noCapacity, "no node can start \(target): \($0)") }
  }
}
