// Files are read from the top of a module down: a file that mentions another's types is above it. Two may mention each
// other where one is the other's child, and three never do, so that each can be understood with what is below it alone.

import Testing

@Suite struct CyclesTests {
  private struct Pair {
    var first: String
    var second: String
    /// What the second is to the first, and how it knows that.
    var why: String
  }

  private static let pairs = [
    Pair(
      first: "Pipes/Docker/DockerPipe.swift", second: "Pipes/Docker/DockerHandler.swift",
      why: "a channel's handler, which hands on what it reads; weak"),
    Pair(
      first: "Pipes/Held/HolderPlace.swift", second: "Pipes/Held/HolderConnection.swift",
      why: "a loop's connection to the place, which it knows as a protocol"),
    Pair(
      first: "Screen/History.swift", second: "Screen/HistoryReader.swift",
      why: "walks over the pages of the scrollback, also where those are searched"),
  ]

  @Test func noMoreThanTwoFilesMentionEachOther() throws {
    let tree = SourceTree()
    var found: Set<[String]> = []
    for module in try tree.folders(in: "Sources") {
      let mentions = try Mentions(of: module, in: tree)
      for knot in mentions.knots where knot.count > 1 {
        found.insert(knot)
        if knot.count > 2 { Issue.record("these go in circles:\n\(mentions.story(of: knot))") }
      }
    }
    let known = Set(Self.pairs.map { [$0.first, $0.second].sorted() })
    for pair in found.subtracting(known) where pair.count == 2 {
      Issue.record("\(pair[0]) and \(pair[1]) mention each other, and are no parent and child")
    }
    for pair in known.subtracting(found) {
      Issue.record(
        "\(pair[0]) and \(pair[1]) mention each other no more: they need no mention here")
    }
  }

  @Test func namesAreFoundInCodeAlone() {
    let file = SwiftFile(
      ###"""
      // A comment of Alpha. /* Beta */
      public struct Own { let text = "Gamma \(Delta("Eps \(Zeta.eta)")) Theta"; let x: Iota.Kappa }
      private enum Hidden {}
      extension Lambda: Mu { /* Nu */ static let s = """
        Xi \(Omicron.self) "Pi"
        """ }
      @available(*, deprecated) public typealias Rho = Sigma<Tau>
      let raw = ##"Upsilon \(Phi) "# \##(Chi)"##
      let range = 0...Psi.omega
      """###)
    #expect(file.types == ["Own", "Rho"])
    #expect(file.extended == ["Lambda"])
    let capitals = file.names.filter { !$0.isMember && $0.text.first?.isUppercase == true }
    #expect(
      capitals.map(\.text) == [
        "Own", "Delta", "Zeta", "Iota", "Hidden", "Lambda", "Mu", "Omicron", "Rho", "Sigma", "Tau",
        "Chi", "Psi",
      ])
  }
}

/// Which files of a module mention types of which others. A type's file and those that extend it alone count as one.
private struct Mentions {
  /// By the file and the file whose types it mentions: these types.
  private var mentioned: [String: [String: Set<String>]] = [:]

  init(of module: String, in tree: SourceTree) throws {
    var files: [String: SwiftFile] = [:]
    var homes: [String: String] = [:]
    for path in try tree.files(in: "Sources/" + module) {
      let file = SwiftFile(try tree.text(path))
      let name = String(path.dropFirst("Sources/".count))
      files[name] = file
      for type in file.types { homes[type] = name }
    }
    let whole = files.map { name, file in (Self.home(of: name, file, among: homes), file) }
    // What is declared beside a type's extensions is at home where the type is.
    for (home, file) in whole {
      for type in file.types { homes[type] = home }
    }
    for (name, file) in whole {
      for word in file.names where !word.isMember {
        guard let home = homes[word.text], home != name else { continue }
        mentioned[name, default: [:]][home, default: []].insert(word.text)
      }
    }
  }

  /// The type's file, where this one is called `Type+What.swift`, or has nothing but that type's extensions.
  private static func home(
    of name: String, _ file: SwiftFile, among homes: [String: String]
  ) -> String {
    let last = name.split(separator: "/").last ?? ""
    let type = last.split(separator: "+").first.map(String.init) ?? ""
    if last.contains("+"), let home = homes[type] { return home }
    guard file.types.isEmpty, file.extended.count == 1, let extended = file.extended.first else {
      return name
    }
    return homes[extended] ?? name
  }

  /// Those of which each is reached from each.
  var knots: [[String]] {
    let reached = Dictionary(
      uniqueKeysWithValues: mentioned.keys.map { ($0, reach(from: $0)) })
    let knots = reached.map { name, others in
      others.filter { $0 == name || reached[$0]?.contains(name) == true }.sorted()
    }
    return Array(Set(knots.filter { !$0.isEmpty })).sorted { $0[0] < $1[0] }
  }

  private func reach(from name: String) -> Set<String> {
    var reached: Set<String> = []
    var next = [name]
    while let name = next.popLast() {
      for other in mentioned[name, default: [:]].keys where reached.insert(other).inserted {
        next.append(other)
      }
    }
    return reached
  }

  func story(of knot: [String]) -> String {
    knot.map { name in
      let others = mentioned[name, default: [:]].filter { knot.contains($0.key) }
      return "\(name): "
        + others.map { "\($0.key) (\($0.value.sorted().joined(separator: ", ")))" }.sorted()
        .joined(separator: ", ")
    }.joined(separator: "\n")
  }
}
