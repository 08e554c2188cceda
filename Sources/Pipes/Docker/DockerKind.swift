// `docker:CONTAINER`: a `docker exec` in a running container of one engine.

import TLS
import Transport
public import Wire

extension PipeKind {
  public static let docker = PipeKind(
    target: TargetKind(
      "docker", form: "docker:CONTAINER", rule: containerRule,
      examples: [
        "--target docker:web1 --env TERM=xterm-256color -- bash -l",
        "--target docker:web1 --user www-data",
      ],
      absence: "none has a Docker engine that answers (see --docker of `fairlead node`)",
      isPlace: { $0.map(isContainer) ?? false }),
    options: [
      PipeOption(
        "docker", value: "url",
        help: "Docker Engine for docker:CONTAINER targets: unix:///PATH or tcp://HOST:PORT."),
      PipeOption(
        "docker-ca", value: "file",
        help: "PEM file of the Docker Engine's CA: speaks TLS with it."),
      PipeOption(
        "docker-cert", value: "file",
        help: "PEM file of the certificate to show to the Docker Engine."),
      PipeOption("docker-key", value: "file", help: "PEM file of its private key."),
    ] + PipeOption.ofHolders,
    problem: { options in
      if let problem = options.holderProblem { return problem }
      let url = options["docker"]
      guard url.isEmpty || Address(url) != nil else {
        return
          "--docker is unix:///PATH or tcp://HOST:PORT, for example unix:///var/run/docker.sock; not "
          + url
      }
      if let problem = options.differs("docker-cert", "docker-key") { return problem }
      return !options["docker-cert"].isEmpty && options["docker-ca"].isEmpty
        ? "--docker-cert needs --docker-ca" : nil
    },
    makeStarter: { setup in
      guard let address = Address(setup.options["docker"]) else { return nil }
      return DockerStarter(
        address, scope: setup.scope, credentials: try credentials(setup), home: setup.home,
        key: setup.key, mode: setup.options.holderMode, logger: setup.logger)
    })
}

/// Nil: plain HTTP.
private func credentials(_ setup: PipeSetup) throws -> TLSCredentials? {
  let (authorities, certificate) = (setup.options["docker-ca"], setup.options["docker-cert"])
  if authorities.isEmpty { return nil }
  return try TLSCredentials(
    .client(
      trust: .authorities(authorities),
      identity: certificate.isEmpty
        ? nil
        : TLSConfiguration.Identity(certificate: certificate, key: setup.options["docker-key"])),
    logger: setup.logger)
}

extension Target {
  /// A container, named by its id or name.
  public static func docker(container: String) -> Target {
    Target(unchecked: "docker:\(container)")
  }

  /// Nil: it is none.
  var container: String? {
    guard kind == "docker", let place, isContainer(place) else { return nil }
    return place
  }
}

/// ``isContainer(_:)``, for people.
private let containerRule =
  "a container's name has 2 characters or more (at most \(PipeLimits.containerName)), of letters, digits, _ . and -, "
  + "and begins with a letter or a digit"

/// Docker's own rule for names, `[a-zA-Z0-9][a-zA-Z0-9_.-]+`; it keeps a name from becoming a path.
private func isContainer(_ name: String) -> Bool {
  guard (2...PipeLimits.containerName).contains(name.utf8.count), let first = name.utf8.first,
    ![UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-")].contains(first)
  else { return false }
  return name.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }
}
