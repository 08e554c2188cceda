// What a node leaves with a holder at a session's start is read by nodes of other versions (promise P11).

import Foundation
import Testing
import Wire

@testable import Node

@Suite struct DescriptorKeyTests {
  @Test func aDescriptorIsWrittenAsOtherVersionsReadIt() throws {
    let json =
      #"{"cluster":"x","created":1,"creation":{"command":["sh"],"env":{"A":"b"},"target":"pty"},"#
      + #""creator":{"client":"c","subject":"ada"},"life":"0000000000000001","logLimit":5,"#
      + #""node":"n","session":"s"}"#
    let read = try #require(SessionDescriptor(Array(json.utf8)))
    #expect(read.session == SessionID(unchecked: "s") && read.life == Life(rawValue: 1))
    #expect(read.creator.subject == "ada" && read.creator.client == ClientID(unchecked: "c"))
    #expect(read.created == 1 && read.logLimit == 5 && read.cluster == "x")
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(String(decoding: try encoder.encode(read), as: UTF8.self) == json)
  }
}
