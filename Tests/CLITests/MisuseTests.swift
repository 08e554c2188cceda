// What was mistyped is answered by what may have been meant, and by the usage of the command that was meant (promise
// P10).

import ArgumentParser
import Testing

@testable import fairlead

@Suite struct MisuseTests {
  /// Empty: they are taken.
  private func told(_ words: [String]) -> String {
    do {
      _ = try Fairlead.parseAsRoot(words)
      return ""
    } catch {
      return Misuse.explained(
        Fairlead.fullMessage(for: error), in: words, of: Fairlead.self, starter: NewCommand.self)
    }
  }

  @Test(arguments: [
    (["new", "ls", "-la"], "fairlead new -- ls -la"),
    (["new", "--session", "x", "ls", "-la"], "fairlead new --session x -- ls -la"),
    (["new", "gcc", "-o", "x y", "main.c"], "fairlead new -- gcc -o 'x y' main.c"),
    (["new", "--detached", "top", "--delay=3"], "fairlead new --detached -- top --delay=3"),
  ]) func optionsOfAProgramGoBehindDashes(words: [String], line: String) {
    let told = told(words)
    let first = told.split(separator: "\n").first.map(String.init) ?? ""
    #expect(first.hasSuffix("what is the command's goes behind --: " + line), "\(told)")
    #expect(told.contains("Usage: fairlead new "), "\(told)")
  }

  @Test(arguments: [
    ["new", "--sizee", "80x24", "ls"], ["new", "--", "ls", "-la", "--size"],
    ["new", "--size", "x"],
    ["new", "-la"], ["certs", "show", "a.pem", "-x"], ["kill", "a", "-f"],
  ]) func whatIsNoProgramsOptionIsNotTakenForOne(words: [String]) {
    let told = told(words)
    #expect(!told.contains("goes behind --"), "\(told)")
  }

  @Test(arguments: [
    (["undrain", "a"], "fairlead drain NODE --undo"), (["ps"], "fairlead sessions"),
    (["rm", "x"], "fairlead kill"), (["run", "ls"], "fairlead new"),
    (["sesions"], "fairlead sessions"), (["delete", "x"], "fairlead kill"),
  ]) func wordsOfOtherToolsAreUnderstood(words: [String], command: String) {
    let unknown = Misuse.unknownCommand(in: words, of: Fairlead.self)
    #expect(unknown?.message.hasSuffix("did you mean \"\(command)\"?") == true, "\(words)")
  }

  @Test(arguments: [
    ("status", "\"fairlead check\" or \"fairlead top\""),
    ("stop", "\"fairlead drain\" or \"fairlead can-stop\" or \"fairlead kill\""),
  ]) func aWordOfSeveralMeaningsIsAnsweredByEach(word: String, commands: String) {
    let unknown = Misuse.unknownCommand(in: [word, "a"], of: Fairlead.self)
    #expect(unknown?.message.hasSuffix("did you mean \(commands)?") == true)
  }

  @Test(arguments: [
    (["check", "cluster", "-o", "json"], "-o"), (["kill", "--bogus"], "--bogus"),
    (["kill", "--filter", "x"], "--filter"), (["check", "router", "--watch=2s"], "--watch"),
    (["context", "set", "--bogus"], "--bogus"),
  ]) func anOptionThatThereIsNotIsNamed(words: [String], option: String) {
    let told = told(words)
    #expect(told.hasPrefix("Error: Unknown option '\(option)'"), "\(told)")
  }

  @Test(arguments: [
    ["kill", "--idle", "x"], ["nodes", "--sort", "-nothing"], ["check", "cluster", "id"],
  ]) func anOptionThatThereIsIsNoneThatThereIsNot(words: [String]) {
    let told = told(words)
    #expect(told.hasPrefix("Error: ") && !told.contains("Unknown option"), "\(told)")
  }

  @Test func aWatchThatNeverWaitsIsNotTaken() {
    let told = told(["nodes", "--watch", "0s"])
    #expect(told.hasPrefix("Error: The value '0s' is invalid for '--watch': "), "\(told)")
  }

  /// Whether it was found before it ran or by itself.
  @Test func aCommandsComplaintComesWithItsOwnUsage() {
    let error = ValidationError("name PEM files")
    let told = Misuse.told(error, by: CertsShowCommand.self, of: Fairlead.self)
    let lines = told.split(separator: "\n")
    #expect(lines.first == "Error: name PEM files")
    #expect(lines.count >= 3 && lines[1].hasPrefix("Usage: fairlead certs show "), "\(told)")
    #expect(lines.last == "  See 'fairlead certs show --help' for more information.")
  }

  @Test func aContainersNameIsExplained() {
    let told = told(["new", "--target", "docker:x"])
    #expect(told.contains("a container's name has 2 characters or more"), "\(told)")
  }

  @Test func aSlipOfTheHandIsSeen() {
    let commands = ["attach", "session", "sessions", "screen", "new"]
    #expect(Misuse.meant(by: "atach", among: commands) == "attach")
    #expect(Misuse.meant(by: "attahc", among: commands) == "attach")
    #expect(Misuse.meant(by: "sesions", among: commands) == "sessions")
    #expect(Misuse.meant(by: "scr", among: commands) == "screen")
    #expect(Misuse.meant(by: "list", among: commands) == nil)
    #expect(Misuse.meant(by: String(repeating: "x", count: 100_000), among: commands) == nil)
  }

  @Test func aDistanceCountsSlipsOfTheHand() {
    #expect(Misuse.distance("kitten", "sitting") == 3)
    #expect(Misuse.distance("ab", "ba") == 1)
    #expect(Misuse.distance("", "abc") == 3)
    #expect(Misuse.distance("--sort", "--cert") == 2)
  }
}
