// What an answer says of a session, letter by letter: clients of other versions read it.

import API
import Foundation
import Registry
import Testing
import Wire

@Suite struct FactKeyTests {
  @Test func theFactsOfASessionAreWrittenAsTheDocumentsSay() throws {
    var facts = SessionFacts()
    facts.reason = .exited
    facts.status = .exited(code: 3)
    facts.ended = 5
    facts.node = NodeID(unchecked: "a")
    facts.creator = "ada"
    facts.state = .running
    facts.differs = ["target"]
    let json =
      #"{"differs":["target"],"ended":5,"node":"a","owner":"ada","reason":"exited","#
      + #""state":"running","status":{"code":3}}"#
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(String(decoding: try encoder.encode(facts), as: UTF8.self) == json)
    #expect(try JSONDecoder().decode(SessionFacts.self, from: Data(json.utf8)) == facts)
  }
}
