// The drawing of the modules in docs/design.md, section 9, held against the manifest and every import; and the sizes
// of files and functions that CONTRIBUTING.md promises.

import Foundation
import Testing

@Suite struct ModulesTests {
  private let tree: SourceTree
  private let manifest: Manifest
  /// From the top down; arrows go from each to those below it alone.
  private let layers: [[String]]

  init() throws {
    tree = SourceTree()
    manifest = try Manifest(tree.text("Package.swift"))
    layers = try tree.drawnLayers()
  }

  private var modules: [Manifest.Target] {
    manifest.targets.filter { $0.folder.hasPrefix("Sources/") }
  }

  @Test func theDrawingHasEveryModuleAndNoOther() throws {
    let folders = try tree.folders(in: "Sources")
    #expect(folders.count > 15)
    #expect(layers.joined().sorted() == folders)
    #expect(modules.map(\.name).sorted() == folders, "each folder of Sources is a target")
  }

  @Test func noArrowPointsUpOrSideways() throws {
    var height: [String: Int] = [:]
    for (index, layer) in layers.reversed().enumerated() {
      for name in layer { height[name] = index }
    }
    for module in modules {
      let own = try #require(height[module.name])
      let used = try tree.imports(in: module.folder).union(module.dependencies)
      for other in used.sorted() where other != module.name {
        guard let below = height[other] else { continue }
        #expect(below < own, "\(module.name) uses \(other), which does not stand below it")
      }
    }
  }

  @Test func whatIsImportedIsDeclaredAndWhatIsDeclaredIsImported() throws {
    let known = Set(manifest.targets.map(\.name))
      .union(manifest.targets.flatMap(\.dependencies)).union(Self.modulesOf.values.joined())
    // A process that a test starts is built for it, and not imported.
    let programs = Set(manifest.targets.filter { $0.kind == .executableTarget }.map(\.name))
    for target in manifest.targets where target.kind != .systemLibrary {
      let imports = try tree.imports(in: target.folder)
      let declared = Set(target.dependencies.flatMap { Self.modulesOf[$0] ?? [$0] })
      for name in imports.intersection(known).subtracting(declared).sorted() {
        Issue.record("\(target.name) imports \(name), and does not declare it")
      }
      for name in target.dependencies.subtracting(programs).sorted()
      where imports.isDisjoint(with: Self.modulesOf[name] ?? [name]) {
        Issue.record("\(target.name) declares \(name), and imports nothing of it")
      }
    }
  }

  /// Of products that have others than their own name's.
  private static let modulesOf = [
    "Collections": ["Collections", "DequeModule", "OrderedCollections"],
    "ServiceLifecycle": ["ServiceLifecycle", "UnixSignals"],
  ]
}
