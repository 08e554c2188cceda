// swift-tools-version: 6.2
// The manifest is the architecture: each folder under Sources is a target, and arrows only point
// down. docs/design.md, section "Modules", draws the same picture.

import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")

let package = Package(
  name: "fairlead",
  products: [.executable(name: "fairlead", targets: ["fairlead"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // MARK: C, fenced in: its types never escape the one module that imports it.
    .target(name: "CPTY"),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),

    // MARK: The protocol, and the words everything shares.
    .target(name: "Wire", dependencies: [nio("NIOCore")], swiftSettings: swiftSettings),

    // MARK: Transport pieces.
    .target(
      name: "HTTPClient",
      dependencies: [nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1")],
      swiftSettings: swiftSettings),
    .target(
      name: "Redis",
      dependencies: [
        "CHiredis", "COpenSSL", nio("NIOCore"), nio("NIOPosix"), logging, collections,
      ],
      swiftSettings: swiftSettings),

    .target(
      name: "Link", dependencies: ["Wire", nio("NIOCore")], swiftSettings: swiftSettings),

    // MARK: What a session is made of, and who owns which.
    .target(
      name: "Cluster", dependencies: ["Wire", "Redis", nio("NIOCore"), logging],
      swiftSettings: swiftSettings),
    .target(
      name: "Pipes",
      dependencies: [
        "CPTY", "Wire", "HTTPClient", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"),
        nio("NIOConcurrencyHelpers"), logging,
      ],
      swiftSettings: swiftSettings),

    // MARK: The roles.
    .target(
      name: "Node",
      dependencies: [
        "Wire", "Link", "Cluster", "Pipes", nio("NIOCore"), nio("NIOPosix"),
        nio("NIOConcurrencyHelpers"), logging, collections,
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Admin",
      dependencies: [
        "Wire", "Cluster", "HTTPClient", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), logging,
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Router",
      dependencies: [
        "Wire", "Link", "Cluster", "Admin", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"),
        nio("NIOWebSocket"), logging, collections,
        nio("NIOConcurrencyHelpers"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Client",
      dependencies: [
        "Wire", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOWebSocket"), logging,
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "fairlead",
      dependencies: [
        "Wire", "Link", "Cluster", "Pipes", "Node", "Router", "Admin", "Client", "Redis",
        "HTTPClient",
        nio("NIOCore"), nio("NIOPosix"), logging,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),

    .target(
      name: "TestSupport",
      dependencies: ["Wire", nio("NIOCore"), nio("NIOPosix"), nio("NIOConcurrencyHelpers")],
      path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .testTarget(
      name: "WireTests", dependencies: ["Wire", nio("NIOCore")], swiftSettings: swiftSettings),
    .testTarget(
      name: "NodeTests", dependencies: ["Node", "Wire", nio("NIOCore")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "PipesTests",
      dependencies: [
        "Pipes", "HTTPClient", "TestSupport", "Wire", nio("NIOCore"), nio("NIOPosix"),
        nio("NIOConcurrencyHelpers"), nio("NIOHTTP1"), logging,
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "AdminTests",
      dependencies: [
        "Admin", "Cluster", "Wire", nio("NIOCore"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTesting", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "CLITests", dependencies: ["fairlead"], swiftSettings: swiftSettings),
    .testTarget(
      name: "ClientTests",
      dependencies: [
        "Client", "Cluster", "Node", "Pipes", "Router", "Wire", nio("NIOCore"), nio("NIOPosix"),
        logging,
      ],
      swiftSettings: swiftSettings),
  ]
)
