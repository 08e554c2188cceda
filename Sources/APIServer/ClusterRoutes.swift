// Routes for operators: routers, clients, the registry, and why a session is where it is.

import API
import Hummingbird
import Registry
import Wire

func addRouters(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations
) {
  router.get("/v1/routers") { request, context in
    try request.allowQuery()
    return try json(try await context.cluster(operations).routers())
  }
  router.get("/v1/clients") { request, context in
    try request.allowQuery()
    return try json(ClientsAnswer(clients: try await context.cluster(operations).clients()))
  }
  router.delete("/v1/clients/{id}") { request, context in
    try request.allowQuery()
    let kicked = try await context.cluster(operations).kick(try name("id", in: context))
    return try json(KickAnswer(kicked: kicked))
  }
  router.get("/v1/registry") { request, context in
    try request.allowQuery()
    return try json(try await context.cluster(operations).registryHealth())
  }
  router.get("/v1/explain/{id}") { request, context in
    try request.allowQuery("target", "label")
    let query = request.uri.queryParameters
    var creation = Creation()
    if let text = query["target"] {
      guard let given = Target(String(text)) else {
        throw OperationError(.badRequest, "target is one such as pty or docker:CONTAINER")
      }
      creation.target = given
    }
    let wanted = try SessionFilter { $0 == "label" ? query["label"].map { String($0) } : nil }
    creation.labels = wanted.labels
    return try json(
      try await context.cluster(operations).explain(try name("id", in: context), as: creation))
  }
}

func addStory(
  to router: Hummingbird.Router<APIContext>, _ operations: any ClusterOperations
) {
  router.get("/v1/doctor") { request, context in
    try request.allowQuery()
    return try json(try await context.cluster(operations).diagnose(repairs: false))
  }
  router.post("/v1/doctor") { request, context in
    try request.allowQuery()
    return try json(try await context.cluster(operations).diagnose(repairs: true))
  }
  router.get("/v1/events") { request, context in
    try request.allowQuery("after", "since")
    let query = request.uri.queryParameters
    guard query["after"] == nil || query["since"] == nil else {
      throw OperationError(.badRequest, "after is an event, and since a time: not both")
    }
    var after = "0-0"
    if let text = query["after"] {
      after = String(text)
      guard ListedEvent.isID(after) else {
        throw OperationError(.badRequest, "after is an event's id, such as 1796039874872-0")
      }
    } else if let text = query["since"] {
      guard let time = milliseconds(String(text)) else {
        throw OperationError(.badRequest, "since is a time such as 90s, 15m, 2h or 1d")
      }
      let now = WallClock.milliseconds
      after = "\(now > time ? now - time : 0)-0"
    }
    let events = try await context.cluster(operations).events(after: after, limit: APILimits.events)
    return try json(EventsAnswer(events: events))
  }
}
