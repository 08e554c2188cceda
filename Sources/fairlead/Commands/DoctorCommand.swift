// `fairlead doctor`: what is wrong in the cluster, and mending it.

import API
import APIClient
import ArgumentParser
import Registry
import Wire

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Compare what Redis has with what the nodes say, and mend it.",
    discussion: """
      Finds records of sessions that their nodes do not have (ghost), sessions without a record (orphan), of two nodes \
      (double), or of another node than their record says (stranger), records of what was lost, records that cannot be \
      read, nodes that do not answer, versions and clocks that differ, and what Redis should be told. What differs is \
      looked at twice, 2 s apart. Compared are the records that Redis lists by their owners, and what the nodes have: a \
      record that is in no such list, since another program wrote it, is not looked for. Nothing is changed without --repair; REPAIR says what that would do.

      The exit code is 0 if nothing is wrong or all of it was mended, 1 if something is, 2 if that cannot be found out.

        fairlead doctor
        fairlead doctor --repair
      """)

  @Flag(help: "Mend what can be mended.")
  var repair = false

  @Flag(help: "Only say what --repair would do; as without either.")
  var dryRun = false

  @OptionGroup var list: ListOptions
  @OptionGroup var inquiry: Inquiry

  func validate() throws {
    if repair, dryRun {
      throw ValidationError("--dry-run changes nothing: it does not go with --repair")
    }
    try list.check(Diagnosis.Finding.columns)
  }

  func run() async throws {
    let found = try await inquiry.ask { try await $0.diagnose(repairs: repair) }
    let diagnosis = found.answer
    let text = try list.text(
      of: diagnosis.findings, Diagnosis.Finding.columns,
      name: { $0.session?.rawValue ?? $0.node?.rawValue ?? $0.kind.rawValue })
    let isTable = list.output.isTable
    if !isTable || !diagnosis.findings.isEmpty { say(text) }
    if isTable, !diagnosis.findings.isEmpty, let registry = diagnosis.registry {
      complain(printable("the records are \(registry)"))
    }
    if isTable, diagnosis.findings.isEmpty {
      say(
        "nothing is wrong: \(diagnosis.records) records and \(diagnosis.sessions) sessions agree"
          + (diagnosis.registry.map { ", " + $0 } ?? ""))
    }
    for gap in found.gaps { complain(printable(gap)) }
    let left = diagnosis.findings.contains { $0.isRepaired != true }
    if left || !found.gaps.isEmpty { throw ExitCode.failure }
  }
}

extension Diagnosis.Finding {
  static var columns: [Column<Diagnosis.Finding>] {
    [
      .text("KIND") { $0.kind.rawValue }.toned { $0.isRepaired == true ? .good : .bad },
      .text("NODE") { $0.node?.rawValue },
      .text("SESSION") { $0.session?.rawValue },
      .text("MENDED") { $0.mendedText },
      .text("WHAT") { $0.sentence },
    ]
  }

  private var mendedText: String? { isRepaired.map { $0 ? "yes" : "no" } }

  private var sentence: String { text + (repair.map { " [repair: \($0)]" } ?? "") }
}
