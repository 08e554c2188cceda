// `fairlead doctor`: what is wrong in the cluster, and mending it.

import API
import APIServer
import Auth
import NIOCore
import Registry
import Wire

extension RouterOperations {
  func diagnose(repairs: Bool) async throws -> Diagnosis {
    try mayOperate(repairs ? .repair : .inspect)
    let nodes = try await registryAnswer { try await $0.nodes() }
    // The records first: a session that is created meanwhile is then one that a node has, and is looked for again.
    let records = try await registryAnswer {
      try await $0.sessions(notOn: [:], limit: RouterLimits.diagnosed)
    }
    var comparison = Comparison(
      records: Dictionary(records.sessions) { $1 }, answers: [:], nodes: nodes)
    let health = try await registryAnswer { try await $0.health() }
    var findings = await surroundings(nodes, health)
    for entry in nodes where !entry.isDead {
      let (sessions, problem) = await sessions(of: entry)
      if let problem {
        findings.append(
          Diagnosis.Finding(
            .silent, node: entry.record.id,
            "node \(entry.record.id) does not say what it has: \(problem)"))
      } else {
        comparison.answers[entry.record.id] = sessions
      }
    }
    findings += records.unread.map {
      Diagnosis.Finding(
        .unread, session: $0, "its record cannot be read: another program has written there")
    }
    findings += await confirmed(comparison)
    if repairs { await mend(&findings, comparison) }
    return Diagnosis(
      findings: findings, records: comparison.records.count,
      sessions: comparison.answers.values.reduce(0) { $0 + $1.count }, registry: health.place)
  }

  /// What is not of a session.
  private func surroundings(
    _ nodes: [NodeEntry], _ health: RegistryHealth
  ) async -> [Diagnosis.Finding] {
    var findings: [Diagnosis.Finding] = []
    if nodes.isEmpty {
      findings.append(
        Diagnosis.Finding(
          .registry,
          "no node is registered in cluster \(context.cluster), so none was asked: is it the right Redis, and the right "
            + "name of the cluster?"))
    }
    let routers = (try? await context.registry.routers()) ?? []
    let versions = Set(
      nodes.filter(\.isLive).map(\.record.version)
        + routers.filter(\.isLive).map(\.record.version)
    ).sorted()
    if versions.count > 1 {
      findings.append(
        Diagnosis.Finding(
          .versions, "nodes and routers are of versions \(versions.joined(separator: ", "))"))
    }
    for entry in nodes {
      let id = entry.record.id
      if !entry.isLive {
        findings.append(
          Diagnosis.Finding(
            .silent, node: id,
            "node \(id) is \(entry.isDead ? "dead" : "silent"): its lease has ended"))
      } else if let trouble = context.health.trouble(of: entry.record) {
        findings.append(Diagnosis.Finding(.silent, node: id, "node \(id) \(trouble.description)"))
      }
    }
    findings += health.warnings.map { Diagnosis.Finding(.registry, $0) }
    if let clock = health.clock, abs(clock) > RouterLimits.clockSkew {
      findings.append(
        Diagnosis.Finding(
          .clock, "Redis's clock is \(clock) ms from this router's: one of them is wrong"))
    }
    return findings
  }

  /// What is still so a moment later: what came or went between the lists is no finding.
  private func confirmed(_ comparison: Comparison) async -> [Diagnosis.Finding] {
    let first = comparison.findings
    guard !first.isEmpty else { return [] }
    try? await Task.sleep(for: RouterLimits.diagnosisPause)
    let nodes = (try? await context.registry.nodes()) ?? comparison.nodes
    var left: [Diagnosis.Finding] = []
    for finding in first {
      guard let session = finding.session else { continue }
      let record = try? await context.registry.lookUp(session)
      let had = comparison.records[session]
      guard record?.epoch == had?.epoch, record?.node == had?.node,
        (record?.state == .owned) == (had != nil)
      else { continue }
      switch finding.kind {
      // The node says itself whether it has it by now, or is starting it.
      case .ghost:
        if await loops.ask(comparison.nodes, for: session).record == nil { left.append(finding) }
      // Its node may have come back between the lists.
      case .lost: if record?.isLost(among: nodes) == true { left.append(finding) }
      default: left.append(finding)
      }
    }
    return left
  }

  private func mend(_ findings: inout [Diagnosis.Finding], _ comparison: Comparison) async {
    for index in findings.indices where findings[index].repair != nil {
      guard let session = findings[index].session else { continue }
      let isMended = await mend(findings[index], session, comparison)
      findings[index].isRepaired = isMended
      audit(
        .repair, session: session, node: findings[index].node, result: isMended ? "ok" : "failed")
      if isMended {
        await note(
          .repair, node: findings[index].node, session: session,
          "session \(session): \(findings[index].text); \(findings[index].repair ?? "")")
      }
    }
  }

  private func mend(
    _ finding: Diagnosis.Finding, _ session: SessionID, _ comparison: Comparison
  ) async -> Bool {
    switch finding.kind {
    case .ghost, .lost:
      guard let record = comparison.records[session] else { return false }
      context.forget(session)
      return
        (try? await context.registry.release(
          session, node: record.node, incarnation: record.incarnation, epoch: record.epoch,
          tombstone: Tombstone(
            status: nil, reason: .lost, ended: nil, creator: record.creator))) == true
    case .orphan, .double, .stranger:
      let owners = comparison.owners(of: session)
      guard let newest = owners.map(\.epoch).max() else { return false }
      let record = comparison.records[session]
      let largest = max(newest, record?.epoch ?? newest)
      var isMended = true
      for owner in owners {
        guard let entry = comparison.nodes.first(where: { $0.record.id == owner.node }) else {
          return false
        }
        // Who has it under a smaller epoch ends it; the other says again that it has it.
        let request =
          owner.epoch < largest
          ? LinkRequest(method: .superseded, session: session, epoch: largest)
          : LinkRequest(method: .announce, session: session)
        isMended = await tell(entry, session, request) && isMended
      }
      return isMended
    default: return false
    }
  }

  private func tell(_ entry: NodeEntry, _ session: SessionID, _ request: LinkRequest) async -> Bool
  {
    guard
      let route = NodeDirectory.route(
        to: entry, loop: session.loopIndex(of: entry.record.loops.count))
    else { return false }
    let answer = try? await loops.onLoop(for: session.rawValue) { $0.ask(route, request) }
    return answer.map { $0.error == nil } ?? false
  }
}

extension Comparison {
  fileprivate func owners(of session: SessionID) -> [(node: NodeID, epoch: Epoch)] {
    answers.flatMap { node, summaries in
      summaries.filter { $0.session == session }.map { (node, $0.epoch) }
    }
  }
}
