// How long something is as JSON, at most: for whoever fills a frame with as much as fits.

extension String {
  /// Bytes that it takes as a string of JSON with a comma behind it, at most.
  public var jsonBound: Int {
    utf8.reduce(3) { $0 + ($1 < 0x20 ? 6 : $1 == 0x22 || $1 == 0x5C ? 2 : 1) }
  }
}

extension SessionSummary {
  /// Bytes that it takes as JSON, at most.
  public var jsonBound: Int {
    // Keys and numbers: under 500.
    var bytes = 600 + session.rawValue.utf8.count + node.utf8.count + target.jsonBound
    bytes += command.reduce(0) { $0 + $1.jsonBound }
    bytes += (title?.jsonBound ?? 0) + (creator?.jsonBound ?? 0) + (stalled?.jsonBound ?? 0)
    bytes += user.map { $0.rawValue.utf8.count + 10 } ?? 0
    for tenure in history ?? [] {
      bytes += 110 + tenure.node.jsonBound + tenure.why.rawValue.jsonBound
    }
    for viewer in viewers {
      bytes += 64 + viewer.client.rawValue.utf8.count + (viewer.sub?.jsonBound ?? 0)
    }
    return bytes
  }
}
