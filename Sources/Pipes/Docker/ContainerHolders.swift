// The holders in the containers of one engine that this node uses, or finds there when it starts.

import Holder
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Wire

final class ContainerHolders: Sendable {
  private let engine: DockerEngine
  private let key: [UInt8]
  private let notes: ContainerNotes
  private let logger: Logger
  /// Loops that have looked for what notes tell of.
  private let haveReadNotes = NIOLockedValueBox<Set<ObjectIdentifier>>([])
  /// Containers and holders whose silence the log tells of, until they are heard again.
  private let toldSilent = NIOLockedValueBox<Set<String>>([])
  /// Looks whose answer no loop has heard yet.
  private let looks = NIOLockedValueBox<[ObjectIdentifier: EventLoopFuture<KeptEntries>]>([:])
  /// Sessions that cannot be held are not started.
  let isRequired: Bool
  /// The engine's, as records name it; nil: it has not been asked.
  let engineName = NIOLockedValueBox<String?>(nil)
  private let known = NIOLockedValueBox<[Known: ContainerHolder]>([:])
  private let failures = NIOLockedValueBox<[ContainerHolder.Place: Failed]>([:])

  private struct Known: Hashable {
    var place: ContainerHolder.Place
    /// Nil: the one that new sessions get.
    var files: HolderFiles?
  }

  private struct Failed {
    var reason: String
    var until: ContinuousClock.Instant
  }

  /// - Parameters:
  ///   - key: 32 bytes, that the nodes know which may have each other's sessions.
  ///   - notes: of the containers in which earlier starts of this node had holders.
  init(
    _ engine: DockerEngine, key: [UInt8], notes: ContainerNotes, isRequired: Bool, logger: Logger
  ) {
    self.engine = engine
    self.notes = notes
    self.key = key
    self.isRequired = isRequired
    self.logger = logger
  }

  /// Says which key it is, and nothing of it.
  var keyName: String {
    MAC.of([Array("fairlead key's name".utf8)], key: key).prefix(4).hexadecimal
  }

  // MARK: For a start

  func holder(at place: ContainerHolder.Place) -> ContainerHolder {
    known.withLockedValue { known in
      if let holder = known[Known(place: place)] { return holder }
      let made = make(place, nil)
      add(made, as: Known(place: place), to: &known)
      return made
    }
  }

  private func make(_ place: ContainerHolder.Place, _ files: HolderFiles?) -> ContainerHolder {
    ContainerHolder(
      place, files: files, key: key, engine: engine, engineName: engineName, notes: notes,
      logger: logger)
  }

  private func add(
    _ holder: ContainerHolder, as key: Known, to known: inout [Known: ContainerHolder]
  ) {
    // What no loop is connected to is found again by its place.
    if known.count >= PipeLimits.containerHolders {
      known = known.filter { !$0.value.connections.isEmpty }
    }
    known[key] = holder
  }

  /// Why none was to be had there a moment ago; nil: it is to be tried.
  func failure(at place: ContainerHolder.Place) -> String? {
    failures.withLockedValue { failures in
      failures[place].flatMap { $0.until > .now ? $0.reason : nil }
    }
  }

  func didFail(at place: ContainerHolder.Place, _ reason: String) {
    let isNew = failures.withLockedValue { failures in
      let before = failures[place]
      if failures.count >= PipeLimits.containerHolders { failures = [:] }
      failures[place] = Failed(reason: reason, until: .now + PipeLimits.holderFailure)
      return before?.reason != reason
    }
    guard isNew else { return }
    logger.warning(
      "sessions in a container end with this node: no holder can be had there",
      metadata: [
        "container": "\(place.container.prefix(12))", "user": "\(place.user ?? "its own")",
        "reason": "\(reason)",
      ])
  }

  func detachAll() async {
    for holder in known.withLockedValue({ Array($0.values) }) { await holder.detachAll() }
  }

  // MARK: What was kept

  /// What is kept, by a look that is under way, or has been answered when nobody waited for it any more; else by a new
  /// one.
  /// - Parameter holders: anywhere, or in certain containers.
  func look(for holders: SilentHolders, on eventLoop: any EventLoop) -> EventLoopFuture<KeptEntries>
  {
    looks.withLockedValue { looks in
      if let look = looks[ObjectIdentifier(eventLoop)] { return look }
      let look = eventLoop.makeFutureWithTask {
        try await self.kept(by: holders, on: eventLoop)
      }
      looks[ObjectIdentifier(eventLoop)] = look
      return look
    }
  }

  /// Its answer was heard.
  func forgetLook(on eventLoop: any EventLoop) {
    looks.withLockedValue { $0[ObjectIdentifier(eventLoop)] = nil }
  }

  /// What notes tell of at first, and that there may be more; then what is in all containers that run.
  private func kept(by holders: SilentHolders, on eventLoop: any EventLoop) async throws
    -> KeptEntries
  {
    let isFirst = haveReadNotes.withLockedValue { $0.insert(ObjectIdentifier(eventLoop)).inserted }
    if isFirst {
      let noted = await notes.all()
      if !noted.isEmpty {
        var kept = await each(of: noted) { name, note in
          let place = ContainerHolder.Place(container: note.container, user: note.user)
          guard name == self.token(of: place) else { return KeptEntries() }
          let files = HolderFiles(program: note.program, directory: note.directory)
          return await self.kept(
            by: self.found(place, files), on: eventLoop, within: PipeLimits.keptSilence)
        }
        kept.silent.areAnywhere = true
        return kept
      }
    }
    try await engine.ping(within: PipeLimits.ping)
    let containers = try await engine.containers().filter {
      holders.areAnywhere || holders.containers.contains($0.id)
    }
    return await each(of: containers) { container in
      // Nothing in it answers, and an exec in it may hang.
      if container.isPaused { return self.silence(ofPaused: container.id) }
      self.didHear(container.id)
      return await self.kept(in: container.id, on: eventLoop, within: PipeLimits.keptSilence)
    }
  }

  private func silence(ofPaused container: String) -> KeptEntries {
    if isNews(container) {
      logger.notice(
        "a container is paused: the sessions that it may have wait until it goes on",
        metadata: ["container": "\(container.prefix(12))"])
    }
    return .silent(in: container)
  }

  /// Whether the log does not tell of this one's silence yet.
  private func isNews(_ silent: String) -> Bool {
    toldSilent.withLockedValue { told in
      if told.count >= PipeLimits.containerHolders { told = [] }
      return told.insert(silent).inserted
    }
  }

  private func didHear(_ silent: String) {
    toldSilent.withLockedValue { _ = $0.remove(silent) }
  }

  /// Some at a time.
  private func each<Item: Sendable>(
    of items: [Item], _ look: @escaping @Sendable (Item) async -> KeptEntries
  ) async -> KeptEntries {
    await withTaskGroup(of: KeptEntries.self) { group in
      var rest = items[...]
      var all = KeptEntries()
      var count = 0
      while !rest.isEmpty || count > 0 {
        if count < PipeLimits.engineCalls, let item = rest.popFirst() {
          group.addTask { await look(item) }
          count += 1
        } else if let found = await group.next() {
          count -= 1
          all.entries += found.entries
          all.silent = all.silent.union(found.silent)
        }
      }
      return all
    }
  }

  /// - Parameter limit: one that takes longer counts as silent, and holds nobody else's sessions up; nil: as long as
  ///   it takes.
  private func kept(
    by holder: ContainerHolder, on eventLoop: any EventLoop, within limit: TimeAmount? = nil
  ) async -> KeptEntries {
    var kept = KeptEntries()
    do {
      kept.entries = try await eventLoop.flatSubmit {
        let promise = eventLoop.makePromise(of: [KeptEntry].self)
        let late = limit.map {
          eventLoop.scheduleTask(in: $0) {
            promise.fail(PipeError(.notNow, "it takes long to answer"))
          }
        }
        holder.kept(on: eventLoop).whenComplete { result in
          late?.cancel()
          promise.completeWith(result)
        }
        return promise.futureResult
      }.get()
      didHear(holder.description)
    } catch is HolderIsGone {
      holder.connectionIsIdle()
    } catch {
      kept.silent = holder.asSilent
      guard isNews(holder.description) else { return kept }
      logger.warning(
        "a holder does not answer; it is asked again",
        metadata: ["holder": "\(holder.description)", "error": "\(error)"])
    }
    return kept
  }

  /// What the holder of a record keeps. It is asked where it would be before the engine is, which forgets its execs when
  /// it is started anew though they live on.
  /// - Parameters:
  ///   - container: its id; a name, of a record that was written before the id was known.
  ///   - user: of this one only; nil: the container's own.
  func kept(
    in container: String, of user: String?, on eventLoop: any EventLoop
  ) async throws -> KeptEntries {
    do {
      let found = try await engine.inspect(container: container)
      // Its processes do not run, but may go on.
      if found.state.isPaused { return silence(ofPaused: found.id) }
      didHear(found.id)
      guard found.id == container else {
        return await kept(in: found.id, on: eventLoop) { place, _ in place.user == user }
      }
      let usual = holder(at: ContainerHolder.Place(container: container, user: user))
      usual.wasMade()
      var kept = await kept(by: usual, on: eventLoop)
      // Of another version, or elsewhere.
      let others = await self.kept(in: container, on: eventLoop) { place, files in
        place.user == user && files != usual.location
      }
      kept.entries += others.entries
      kept.silent = kept.silent.union(others.silent)
      return kept
    } catch let error as PipeError where error.code == .noTarget {
      return KeptEntries()
    }
  }

  private func kept(
    in container: String, on eventLoop: any EventLoop, within limit: TimeAmount? = nil,
    where isWanted: (ContainerHolder.Place, HolderFiles) -> Bool = { _, _ in true }
  ) async -> KeptEntries {
    var kept = KeptEntries()
    do {
      var holders: [ContainerHolder] = []
      let looked = try await engine.lookAtExecs(in: container) { state in
        // Of an exec as the container's own user the engine tells that one's name, too.
        for place in [state.user, nil].map({ ContainerHolder.Place(container: container, user: $0) }
        ) {
          guard state.running, let files = HolderFiles(state, token: token(of: place)),
            isWanted(place, files)
          else { continue }
          holders.append(found(place, files))
          break
        }
        return true
      }
      if !looked.isWhole { kept.silent.containers.insert(container) }
      for holder in holders {
        let found = await self.kept(by: holder, on: eventLoop, within: limit)
        kept.entries += found.entries
        kept.silent = kept.silent.union(found.silent)
      }
    } catch let error as PipeError where error.code == .noTarget {
      // It has gone meanwhile.
    } catch {
      kept.silent.containers.insert(container)
    }
    return kept
  }

  private func token(of place: ContainerHolder.Place) -> String {
    ContainerHolder.token(of: place, key: key)
  }

  /// One of this version gets this node's next sessions, too.
  private func found(_ place: ContainerHolder.Place, _ files: HolderFiles) -> ContainerHolder {
    known.withLockedValue { known in
      let usual = known[Known(place: place)]
      if let usual, usual.isFound(at: files) { return usual }
      let key = Known(place: place, files: files)
      if let holder = known[key] { return holder }
      let made = make(place, files)
      let isNext = files.isOfThisVersion && usual?.connections.isEmpty ?? true
      add(made, as: isNext ? Known(place: place) : key, to: &known)
      return made
    }
  }
}
