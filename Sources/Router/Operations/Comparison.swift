// The registry's records beside what the nodes say themselves. Pure: what is found is looked at again before anything is
// done about it, since a session may have come or gone between the two lists.

import API
import Registry
import Wire

struct Comparison {
  /// By the records: those of sessions that some node owns.
  var records: [SessionID: SessionRecord]
  /// By the nodes that answered, each with all that it has.
  var answers: [NodeID: [SessionSummary]]
  var nodes: [NodeEntry]

  var findings: [Diagnosis.Finding] {
    var found: [Diagnosis.Finding] = []
    let told = Dictionary(grouping: answers.values.joined(), by: \.session)
    for (session, summaries) in told.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      found += findings(session, told: summaries)
    }
    for (session, record) in records.sorted(by: { $0.key.rawValue < $1.key.rawValue })
    where told[session] == nil {
      if let finding = finding(session, untold: record) { found.append(finding) }
    }
    return found
  }

  private func findings(
    _ session: SessionID, told summaries: [SessionSummary]
  ) -> [Diagnosis.Finding] {
    let newest = summaries.map(\.epoch).max() ?? Epoch(0)
    if summaries.count > 1 {
      let owners = summaries.map { "\($0.node) (epoch \($0.epoch))" }.sorted()
      return [
        Diagnosis.Finding(
          .double, session: session, "nodes \(owners.joined(separator: " and ")) have it",
          repair: "the one under the larger epoch keeps it, and the other ends it")
      ]
    }
    guard let summary = summaries.first, let node = NodeID(summary.node) else { return [] }
    guard let record = records[session] else {
      // What has ended may have been released already.
      guard summary.state == .running else { return [] }
      return [
        Diagnosis.Finding(
          .orphan, node: node, session: session, "node \(node) has it, and it has no record",
          repair: "its node writes the record again")
      ]
    }
    guard record.node != node || record.epoch != newest else { return [] }
    let isNewer = record.epoch > newest
    return [
      Diagnosis.Finding(
        .stranger, node: node, session: session,
        "node \(node) has it under epoch \(newest), and its record names node \(record.node), epoch \(record.epoch)",
        repair: isNewer ? "node \(node) ends it" : "node \(node) writes the record again")
    ]
  }

  private func finding(_ session: SessionID, untold record: SessionRecord) -> Diagnosis.Finding? {
    let state = record.ownerState(among: nodes)
    if state.isLost {
      guard record.end == nil else { return nil }
      return Diagnosis.Finding(
        .lost, node: record.node, session: session, "it was lost with node \(record.node)",
        repair: "its record is closed")
    }
    guard state == .alive, answers[record.node] != nil, !record.isFree else { return nil }
    return Diagnosis.Finding(
      .ghost, node: record.node, session: session,
      "its record names node \(record.node), which does not have it", repair: "its record is closed"
    )
  }
}
