// Keys that are called otherwise in the code than in JSON. Nodes and routers of different versions share them, and a key
// that gets lost would be silence on the other side (promise P9).

import Foundation
import Testing
import Wire

@Suite struct KeyTests {
  /// Whether all that stands there is read, and written again as it stood.
  private func returns<Value: Codable>(_ json: String, _ type: Value.Type) throws -> Bool {
    let data = Data(json.utf8)
    let again = try JSONEncoder().encode(try JSONDecoder().decode(Value.self, from: data))
    let (old, new) = try (object(data), object(again))
    if old != new { print("\(old)\n\(new)") }
    return old == new
  }

  private func object(_ data: Data) throws -> NSDictionary {
    try #require(try JSONSerialization.jsonObject(with: data) as? NSDictionary)
  }

  /// A router of another version sends a node nothing that this one does not say it knows.
  @Test func aNodesGreetingIsWrittenAsRoutersReadIt() throws {
    let welcome = Welcome(
      time: 5, node: "a", incarnation: Incarnation(rawValue: 1), nonce: "n", proof: "p")
    let json =
      #"{"creates":["user"],"incarnation":"0000000000000001","#
      + #""limits":{"frameBody":16384,"inputInFlight":65536,"streams":64},"node":"a","nonce":"n","#
      + #""proof":"p","time":5,"version":1}"#
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(String(decoding: try encoder.encode(welcome), as: UTF8.self) == json)
    #expect(try JSONDecoder().decode(Welcome.self, from: Data(json.utf8)) == welcome)
  }

  @Test func whatSomebodyMayKeepsItsKeys() throws {
    let json =
      #"{"subject":"ada","rights":"read","own":"admin","names":true,"ownNames":true}"#
    #expect(try returns(json, Access.self))
  }

  @Test func whatIsToldOfASessionKeepsItsKeys() throws {
    let json = """
      {"session":"s","node":"n","life":"0000000000000001","epoch":7,"target":"pty",
       "command":["sh"],"user":"bob","state":"ended","status":{"code":3},"reason":"exited",
       "ended":5,"size":{"columns":80,"rows":24},"title":"t","created":1,"idle":2,"output":3,
       "input":4,"owner":"ada","holder":"boot/h",
       "history":[{"epoch":7,"node":"n","since":1,"why":"started"}],
       "viewers":[{"client":"c","mode":"driver"}]}
      """
    #expect(try returns(json, SessionSummary.self))
  }
}
