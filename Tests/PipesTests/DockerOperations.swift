// What a Docker engine answers, read under a fuzzer that is guided by coverage: bytes are operations, so that JSON
// that is almost right is near. `deploy/fuzz.sh docker` runs it for long; FuzzCorpusTests replays what it found.

import NIOCore
import NIOHTTP1
import Transport
import Wire

@testable import HTTPClient

#if !FUZZING
  @testable import Pipes
#endif

func dockerOperations(_ input: UnsafeRawBufferPointer) {
  var rest = input[...]
  func byte() -> UInt8 { rest.popFirst() ?? 0 }
  func bytes(_ count: Int) -> [UInt8] {
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }
  let endpoint = Address.unix(path: "/x")
  let statuses: [HTTPResponseStatus] = [.ok, .created, .notFound, .conflict, .badRequest]
  let status = statuses[Int(byte()) % statuses.count]
  let version = String(decoding: bytes(Int(byte() % 16)), as: UTF8.self)
  var body: [UInt8] = []
  func put(_ text: String) { body += Array(text.utf8) }
  while !rest.isEmpty, body.count < 20_000 {
    let (operation, value) = (byte(), Int(byte()))
    switch operation % 14 {
    case 0: put("{")
    case 1: put("}")
    case 2: put("[")
    case 3: put("]")
    case 4: put(",")
    case 5:
      put(
        #""\#(["Id", "Running", "ExitCode", "Pid", "ContainerID", "ExecIDs", "message"][value % 7])":"#
      )
    case 6: put(["true", "false", "null", "1e999", "-0", "1.5"][value % 6])
    case 7: put("\(value << (value % 56))")
    case 8: put(#""\#(String(repeating: "a1", count: value % 70))""#)
    case 9: body += bytes(value)
    case 10: body.append(UInt8(value))
    case 11: for _ in 0..<value { put("[") }
    case 12: put(#"{"Running":false,"ExitCode":\#(value),"Pid":\#(value),"ContainerID":"ab"}"#)
    default: put(#"{"Id":"\#(String(value, radix: 16))"}"#)
    }
  }
  let buffer = ByteBuffer(bytes: body)
  let answer = HTTPResponse(
    status: status, headers: HTTPHeaders([("Api-Version", version)]), body: buffer)
  if let common = try? DockerEngine.commonVersion(answer, endpoint) {
    precondition((0...DockerEngine.versions.upperBound).contains(common))
  }
  let created = try? DockerEngine.decode(DockerEngine.Created.self, buffer)
  let state = try? DockerEngine.decode(DockerEngine.ExecState.self, buffer)
  _ = try? DockerEngine.decode(DockerEngine.Details.self, buffer)
  let listed = try? DockerEngine.decode([DockerEngine.Listed].self, buffer)
  for id in [created?.id, state?.containerID] + (listed ?? []).map(\.id) {
    guard let id, let checked = try? DockerEngine.checked(id) else { continue }
    precondition(checked.utf8.allSatisfy { $0 < 128 && $0 != UInt8(ascii: "/") && $0 > 32 })
  }
  for container in [nil, "c"] {
    precondition(!DockerEngine.error(answer, container: container, endpoint).description.isEmpty)
  }
  precondition(DockerEngine.reason(in: String(decoding: body, as: UTF8.self)).count <= 1_000)
}

#if FUZZING
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    dockerOperations(UnsafeRawBufferPointer(start: start, count: count))
    return 0
  }
#endif
