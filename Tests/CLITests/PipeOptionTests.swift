// The command line takes the options that the kinds of pipes describe, though no property of a command names them, and
// says what is wrong with one (promise P10).

import ArgumentParser
import Pipes
import Testing

@testable import fairlead

@Suite struct PipeOptionTests {
  @Test func optionsOfTheKindsAreTaken() throws {
    let given = try NodeOptions.parse([
      "--docker", "unix:///nowhere", "--scrollback", "7", "--docker-ca=ca.pem",
    ])
    #expect(given.scrollback == 7)
    #expect(given.pipes.options["docker"] == "unix:///nowhere")
    #expect(given.pipes.options["docker-ca"] == "ca.pem")
    #expect(given.pipes.options["docker-key"].isEmpty)
  }

  @Test func aKindsComplaintIsTheCommandsMisuse() {
    for arguments in [
      ["--docker", "ftp://x"], ["--docker-cert", "x"], ["--pty-user", "no such"],
    ] {
      do {
        _ = try NodeOptions.parse(arguments)
        Issue.record("\(arguments) were taken")
      } catch {
        #expect(NodeOptions.exitCode(for: error) == .validationFailure)
        #expect(NodeOptions.message(for: error).hasPrefix(arguments[0]))
      }
    }
  }

  @Test func helpNamesEveryOptionWithItsValue() {
    let help = NodeOptions.helpMessage()
    for option in PipeKinds.standard.options {
      #expect(help.contains("--\(option.name) <\(option.value)>"))
    }
    #expect(NewCommand.helpMessage().contains("fairlead new --target docker:web1 --user www-data"))
  }
}
