// This router in the list of routers: its record, which it writes anew every few seconds.

import API
import Logging
import NIOCore
import Registry
import Wire

extension RouterLoops {
  /// Writes the record until the task is cancelled.
  func keepListed(isListed: Bool) async {
    var use = ProcessUse()
    while !Task.isCancelled {
      if isListed, let record = await record(&use), !context.isStopping {
        // A registry that is away is said to be by who needs it.
        try? await context.registry.renew(record)
      }
      let delay: Duration = context.url == nil ? RouterLimits.drainInterval : Lease.routerInterval
      try? await Task.sleep(for: delay)
    }
  }

  func leaveList() async {
    try? await context.registry.leave(router: context.id, incarnation: context.incarnation)
  }

  /// Nil: it does not listen yet.
  func record(_ use: inout ProcessUse) async -> RouterRecord? {
    guard let url = context.url else { return nil }
    var (clients, streams) = (0, 0)
    for loop in eventLoops {
      guard let counts = await on(loop, { ($0.clientCount, $0.streamCount) }) else { continue }
      clients += counts.0
      streams += counts.1
    }
    let (processor, memory) = use.measure()
    return RouterRecord(
      id: context.id, incarnation: context.incarnation, url: url, version: context.version,
      started: context.started, clients: clients, streams: streams,
      routes: context.rememberedRoutes, loops: eventLoops.count, processor: processor,
      memory: memory)
  }
}
