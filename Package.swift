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
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")

/// Fuzzers are linked with a `main` of their own, by deploy/fuzz.sh alone.
let isFuzzing = Context.environment["FAIRLEAD_FUZZ"] != nil

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
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.1.0"),
  ],
  targets: [
    // MARK: C, fenced in: its types never escape the one module that imports it.
    .target(name: "CPTY"),
    .target(name: "CWebFiles"),
    .target(name: "CHolder"),
    .target(name: "CHolderBinary", exclude: ["built"]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),

    // MARK: The protocol, and the words everything shares.
    .target(name: "Wire", dependencies: [nio("NIOCore")], swiftSettings: swiftSettings),

    .target(name: "PrivateFiles", dependencies: ["Wire"], swiftSettings: swiftSettings),
    .target(
      name: "Holder", dependencies: ["CHolder"], exclude: ["Static"], swiftSettings: swiftSettings),

    // MARK: Transport pieces.
    .target(
      name: "TLS",
      dependencies: [
        "COpenSSL", "Wire", nio("NIOCore"), nio("NIOTLS"), nio("NIOConcurrencyHelpers"), logging,
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Transport", dependencies: ["TLS", nio("NIOCore"), nio("NIOPosix")],
      swiftSettings: swiftSettings),
    .target(
      name: "HTTPClient",
      dependencies: ["Transport", "Wire", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1")],
      swiftSettings: swiftSettings),
    .target(
      name: "Redis",
      dependencies: [
        "CHiredis", "COpenSSL", "Transport", "Wire", nio("NIOCore"), logging,
        collections,
      ],
      swiftSettings: swiftSettings),

    .target(
      name: "Links",
      dependencies: [
        "Transport", "Wire", nio("NIOCore"), .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Logs", dependencies: ["Wire", nio("NIOConcurrencyHelpers"), logging],
      swiftSettings: swiftSettings),

    // MARK: Who may do what.
    .target(
      name: "Auth",
      dependencies: [
        "Logs", "Wire", nio("NIOConcurrencyHelpers"),
        .product(name: "JWTKit", package: "jwt-kit"),
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: swiftSettings),

    // MARK: What a session is made of, and who owns which.
    .target(
      name: "Registry",
      dependencies: [
        "Wire", "Redis", "TLS", "Transport", nio("NIOCore"), nio("NIOPosix"),
        nio("NIOConcurrencyHelpers"),
        logging, collections,
      ],
      swiftSettings: swiftSettings),
    .target(name: "Screen", swiftSettings: swiftSettings + (isFuzzing ? [.define("FUZZING")] : [])),
    .target(
      name: "Sessions", dependencies: ["Screen", "Wire", nio("NIOCore"), collections],
      swiftSettings: swiftSettings),
    .target(
      name: "Pipes",
      dependencies: [
        "CHolderBinary", "CPTY", "Holder", "PrivateFiles", "Wire", "HTTPClient", "TLS", "Transport",
        nio("NIOCore"),
        nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOConcurrencyHelpers"), logging, collections,
      ],
      swiftSettings: swiftSettings),

    // MARK: The roles.
    .target(
      name: "Node",
      dependencies: [
        "Wire", "Links", "Registry", "Transport", "Pipes", "Screen", "Sessions",
        nio("NIOCore"), nio("NIOPosix"),
        nio("NIOConcurrencyHelpers"), logging, collections,
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "API", dependencies: ["Wire", "Registry"], swiftSettings: swiftSettings),
    .target(
      name: "APIClient",
      dependencies: [
        "API", "Wire", "Registry", "Transport", "HTTPClient", "TLS", nio("NIOCore"),
        nio("NIOPosix"), nio("NIOHTTP1"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "APIServer",
      dependencies: [
        "API", "Auth", "Wire", "Registry", nio("NIOCore"), logging,
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Web",
      dependencies: [
        "CWebFiles", nio("NIOCore"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      exclude: ["Library", "Page", "Vendor"], swiftSettings: swiftSettings),
    .target(
      name: "Router",
      dependencies: [
        "API", "APIServer", "Auth", "Wire", "Links", "Registry", "Web", "TLS", "Transport",
        nio("NIOCore"), nio("NIOHTTP1"),
        nio("NIOWebSocket"), logging, collections,
        nio("NIOConcurrencyHelpers"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Client",
      dependencies: [
        "Transport", "Wire", "TLS", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"),
        nio("NIOWebSocket"), logging, collections,
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "fairlead",
      dependencies: [
        "API", "APIClient", "APIServer", "Auth", "Wire", "Links", "Logs", "Registry", "Pipes",
        "Node", "Router", "Client", "Holder", "PrivateFiles",
        "Redis", "HTTPClient", "Screen", "Sessions", "TLS", "Transport",
        nio("NIOCore"), nio("NIOPosix"), nio("NIOTLS"), nio("NIOConcurrencyHelpers"), logging,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: swiftSettings),

    // MARK: What the tests are made of, and the tests.
    .target(
      name: "TestSupport",
      dependencies: [
        "Screen", "Sessions", "Wire", nio("NIOCore"), nio("NIOPosix"),
        nio("NIOConcurrencyHelpers"),
      ],
      path: "Tests/TestSupport", swiftSettings: swiftSettings),
    .target(
      name: "HTTPTesting",
      dependencies: [
        nio("NIOCore"), nio("NIOEmbedded"), logging,
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      path: "Tests/HTTPTesting", swiftSettings: swiftSettings),
    .target(
      name: "Chaos",
      dependencies: [
        "TestSupport", nio("NIOCore"), nio("NIOPosix"), nio("NIOConcurrencyHelpers"), collections,
      ], path: "Tests/Chaos", swiftSettings: swiftSettings),
    .executableTarget(
      name: "fairlead-chaos", dependencies: ["Chaos", argumentParser],
      path: "Tests/ChaosCommand", swiftSettings: swiftSettings),
    .target(name: "Numbered", path: "Tests/Numbered", swiftSettings: swiftSettings),
    .target(
      name: "Judge",
      dependencies: [
        "Numbered", "Chaos", "Client", "Registry", "Node", "Pipes", "Router", "Screen",
        "TestSupport",
        "Wire", nio("NIOCore"), nio("NIOPosix"), nio("NIOConcurrencyHelpers"), logging,
      ], path: "Tests/Judge", swiftSettings: swiftSettings),
    .target(
      name: "ScreenOperations", dependencies: ["Screen"], path: "Tests/Fuzz/ScreenOperations",
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "fairlead-generator", dependencies: ["Numbered"],
      path: "Tests/Generator", swiftSettings: swiftSettings),
    .executableTarget(
      name: "fairlead-judge",
      dependencies: ["Chaos", "Judge", "TestSupport", "Wire", argumentParser],
      path: "Tests/JudgeCommand", swiftSettings: swiftSettings),
    .executableTarget(
      name: "fairlead-screen", dependencies: ["Screen", "TestSupport"],
      path: "Tests/ScreenCommand", swiftSettings: swiftSettings),
    .testTarget(
      name: "ReliabilityTests",
      dependencies: [
        "Chaos", "Client", "Judge", "Pipes", "Sessions", "TestSupport", "Wire", nio("NIOCore"),
        "fairlead", "fairlead-generator",
      ], swiftSettings: swiftSettings),
    // MARK: Measurements, each beside its rivals.
    .executableTarget(
      name: "ScreenBenchmark", dependencies: ["Screen"], path: "Tests/Benchmarks/ScreenBenchmark",
      exclude: ["libvterm.c", "libghostty.py"], swiftSettings: swiftSettings),

    .testTarget(
      name: "WireTests", dependencies: ["TestSupport", "Wire", nio("NIOCore")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "PrivateFilesTests", dependencies: ["PrivateFiles", "TestSupport", "Wire"],
      swiftSettings: swiftSettings),
    .testTarget(name: "ModulesTests", swiftSettings: swiftSettings),
    .testTarget(
      name: "TransportTests",
      dependencies: ["TestSupport", "Transport", nio("NIOCore"), nio("NIOPosix")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "TLSTests",
      dependencies: [
        "TLS", "TestSupport", "Wire", "fairlead", logging, nio("NIOCore"), nio("NIOPosix"),
        nio("NIOTLS"),
        nio("NIOConcurrencyHelpers"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "LinksTests",
      dependencies: ["Links", "TestSupport", "Wire", nio("NIOCore"), nio("NIOEmbedded")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "RouterTests",
      dependencies: [
        "API", "APIClient", "APIServer", "Auth", "Router", "Registry", "Links", "TestSupport",
        "Wire",
        nio("NIOCore"),
        nio("NIOEmbedded"),
        nio("NIOPosix"),
        nio("NIOHTTP1"), nio("NIOWebSocket"), nio("NIOConcurrencyHelpers"), logging,
        collections,
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "HolderTests",
      dependencies: [
        "CHolder", "CHolderBinary", "Holder", "TestSupport", "fairlead",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      exclude: ["Protocol"], swiftSettings: swiftSettings),
    .testTarget(
      name: "LogsTests",
      dependencies: ["Logs", "TestSupport", nio("NIOConcurrencyHelpers"), logging],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ScreenTests", dependencies: ["Screen", "ScreenOperations", "TestSupport"],
      exclude: ["Conformance", "Recordings", "generate-widths.py"], swiftSettings: swiftSettings),
    .testTarget(
      name: "AuthTests",
      dependencies: [
        "Auth", "Links", "TestSupport", "Wire", nio("NIOCore"),
        .product(name: "JWTKit", package: "jwt-kit"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "SessionsTests",
      dependencies: ["Holder", "Sessions", "Screen", "TestSupport", "Wire", nio("NIOCore")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "NodeTests",
      dependencies: [
        "Node", "Registry", "Links", "Pipes", "Sessions", "TestSupport", "Wire",
        logging,
        nio("NIOCore"), nio("NIOEmbedded"), nio("NIOPosix"), nio("NIOConcurrencyHelpers"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "PipesTests",
      dependencies: [
        "Pipes", "Holder", "HTTPClient", "TestSupport", "Transport", "fairlead", "Wire",
        nio("NIOCore"), nio("NIOPosix"),
        nio("NIOConcurrencyHelpers"), nio("NIOEmbedded"), nio("NIOHTTP1"), logging,
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "WebTests",
      dependencies: [
        "Web", "HTTPTesting", nio("NIOCore"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "APIServerTests",
      dependencies: [
        "API", "APIServer", "Registry", "HTTPTesting", "Wire", nio("NIOCore"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "RegistryTests",
      dependencies: [
        "Registry", "Wire", "Redis", "TestSupport", logging, nio("NIOCore"), nio("NIOPosix"),
        nio("NIOConcurrencyHelpers"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "RedisTests",
      dependencies: [
        "Redis", "TestSupport", "Transport", "Wire", logging, nio("NIOConcurrencyHelpers"),
        nio("NIOCore"), nio("NIOPosix"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "fairlead", "TestSupport", "API", "APIClient", "Chaos", "Client", "Registry", "Redis",
        "TLS", "Wire",
        nio("NIOCore"), nio("NIOPosix"), logging,
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ServerTests",
      dependencies: ["fairlead", "TestSupport", "Wire", nio("NIOCore")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "CLITests",
      dependencies: [
        "API", "Client", "fairlead", "Pipes", "Registry", "Screen", "TestSupport", "Wire",
        nio("NIOCore"), nio("NIOPosix"), argumentParser,
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "ClientTests",
      dependencies: [
        "Auth", "Client", "Registry", "Node", "Pipes", "Router", "TestSupport", "Wire",
        nio("NIOCore"),
        nio("NIOPosix"), logging,
      ],
      swiftSettings: swiftSettings),
  ]
)

if isFuzzing {
  func fuzzer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
      name: "fuzz-\(name.lowercased())", dependencies: dependencies, path: "Tests/Fuzz/\(name)",
      swiftSettings: swiftSettings)
  }
  package.targets += [
    fuzzer("Screen", ["ScreenOperations"])
  ]
}
