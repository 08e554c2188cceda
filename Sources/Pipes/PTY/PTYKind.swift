// `pty`: a pseudo-terminal on the node's own machine.

import Glibc
import Logging
import Wire

extension PipeKind {
  public static let pty = PipeKind(
    target: TargetKind("pty", form: "pty") { $0 == nil },
    options: [
      PipeOption(
        "pty-user", value: "user",
        help:
          "The user that pty terminals run as, if this is root; nobody's secrets but that user's are in "
          + "their reach."),
      PipeOption(
        "pty-users", value: "users",
        help:
          "Whom a client may have a pty terminal run as besides, if its token lets it name users: "
          + "names, separated by commas. root is one only if it is named here. The node must run as root."
      ),
    ] + PipeOption.ofHolders,
    takesTerminal: true,
    problem: { options in
      options.holderProblem
        ?? options.ptyUser.flatMap { trouble(with: $0, of: "--pty-user") }
        ?? options.ptyUsers.lazy.compactMap { trouble(with: $0, of: "--pty-users") }.first
    },
    makeStarter: { setup in
      let user = setup.options.ptyUser.flatMap(account(of:))
      return PTYStarter(
        environment: setup.environment, user: user.flatMap { $0.uid == geteuid() ? nil : $0 },
        others: setup.options.ptyUsers.compactMap(account(of:)), files: setup.files,
        holder: try runningHolder(setup))
    })
}

extension PipeOptions {
  /// Nil: as this process.
  fileprivate var ptyUser: String? { self["pty-user"].isEmpty ? nil : self["pty-user"] }

  /// Whom clients may name besides.
  fileprivate var ptyUsers: [String] { self["pty-users"].split(separator: ",").map(String.init) }
}

/// The node's holder; nil: it is to have none, or can have none.
private func runningHolder(_ setup: PipeSetup) throws -> HolderHome? {
  guard let home = setup.home else { return nil }
  do {
    let wasThere = try home.ensureRunning()
    setup.logger.notice(
      "terminals are held by a process of their own",
      metadata: ["directory": "\(home.current.directory)", "found": "\(wasThere)"])
    return home
  } catch let error as StateDirectoryError where setup.mayGoWithout(error) {
    return nil
  }
}

/// - Parameter name: or its number.
private func account(of name: String) -> Account? {
  UserName(name)?.number.flatMap(Account.init(uid:)) ?? Account(named: name)
}

/// Nil: processes can be started as that user.
private func trouble(with name: String, of option: String) -> String? {
  guard let account = account(of: name) else {
    return "\(option): this machine has no user \(name.escaped)"
  }
  guard account.uid == geteuid() || geteuid() == 0 else {
    return "\(option) \(name): only root can run terminals as another user"
  }
  return nil
}
