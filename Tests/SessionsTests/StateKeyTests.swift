// What a node leaves with a holder is read by nodes of other versions: it stays as it is written (promise P11).

import Foundation
import Testing
import Wire

@testable import Sessions

@Suite struct StateKeyTests {
  @Test func whatIsKeptOfASessionIsWrittenAsEarlierVersionsReadIt() throws {
    let json =
      ##"{"colors":{"background":"#000000","cursor":"#ffffff","foreground":"#00ff00"},"##
      + ##""endCause":"idle","history":[{"epoch":7,"node":"n","since":1,"why":"taken_over"}],"##
      + ##""sizeHolder":{"client":"c","subject":"ada"}}"##
    let state = KeptState(
      sizeOwner: ClientIdentity(client: ClientID(unchecked: "c"), subject: "ada"),
      colors: ThemeColors(foreground: "#00ff00", background: "#000000", cursor: "#ffffff"),
      endCause: .idle,
      history: [Tenure(epoch: Epoch(7), node: "n", since: 1, why: .takenOver)])
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(String(decoding: try encoder.encode(state), as: UTF8.self) == json)
    #expect(try JSONDecoder().decode(KeptState.self, from: Data(json.utf8)) == state)
    #expect(try JSONDecoder().decode(KeptState.self, from: Data("{}".utf8)) == KeptState())
  }

  @Test func theReasonsForAnEndKeepTheirWords() {
    let causes: [EndCause] = [.killed, .idle, .timeout, .stopped, .superseded]
    #expect(causes.map(\.rawValue) == ["killed", "idle", "timeout", "stopped", "superseded"])
  }
}
