// A lock as an object: made by a put on condition that there is none, renewed by puts on condition that it is still what
// its owner wrote, and taken over on the same condition once it has not been renewed for as long as it holds.
//
// How old it is the store's own clock says (`Date` and `Last-Modified` of one answer), so that no other clock matters. An
// owner that was away for too long finds out: `check` throws once it is over, and the next renewal fails.
//
// A store that takes no heed of conditions is found out by a put that must fail. With it, a lock keeps out those who come
// later, but of two who come in the same moment both may believe that they have it; that is told once.

import VarveArchive
import VarveCore
import VarveIO
import VarveWire

extension S3Store {
  package func lock(_ key: String) throws -> any ObjectLock {
    let key = key + ".lock"
    let record = LockRecord(seconds: lockSeconds)
    // Each time that somebody was quicker, what is there is looked at again.
    for _ in 0..<4 {
      let found = try lockObject(key)
      if let found, found.record.isHeld, found.ageSeconds <= Int64(found.record.seconds) {
        throw isLocked(key, freeIn: Int64(found.record.seconds) - found.ageSeconds)
      }
      let began = clock.monotonicNanoseconds()
      guard let tag = try putLock(key, record, replacing: found?.tag) else { continue }
      try findOutAboutConditions(key, record)
      return S3Lock(LockKeeper(self, key, record, tag: tag, heldSince: began))
    }
    throw isLocked(key, freeIn: Int64(lockSeconds))
  }

  fileprivate func isLocked(_ key: String, freeIn seconds: Int64) -> VarveError {
    VarveError(
      .directoryLocked, "somebody else has the lock",
      hint: "a lock whose owner has gone is free in \(max(1, seconds)) s at the latest",
      place: address(key))
  }

  private struct LockObject {
    let record: LockRecord
    let tag: String
    let ageSeconds: Int64
  }

  private func lockObject(_ key: String) throws -> LockObject? {
    var request = S3RangeRequest.request(key, 0..<LockRecord.byteLimit)
    request.codes = ["NoSuchKey"]
    let answer = try client.send(request)
    if answer.error != nil { return nil }
    let headers = answer.message.headers
    guard let record = LockRecord(answer.message.body), let tag = headers["etag"],
      let changed = headers["last-modified"].flatMap(HTTPDate.seconds)
    else {
      throw VarveError(
        .corruption, "this is no lock of Varve's", hint: "remove it if nobody works with this place",
        place: address(key))
    }
    let now = headers["date"].flatMap(HTTPDate.seconds) ?? clock.wallNanoseconds() / 1_000_000_000
    return LockObject(record: record, tag: tag, ageSeconds: max(0, now - changed))
  }

  /// The new object's tag; nil if somebody was quicker. `tag`: what is there; nil: nothing.
  fileprivate func putLock(_ key: String, _ record: LockRecord, replacing tag: String?) throws -> String? {
    var request = Self.putRequest(key, record.bytes)
    if conditions.read({ $0 }) != .unheeded {
      request.headers.append(tag.map { ("If-Match", $0) } ?? ("If-None-Match", "*"))
    }
    // 404: what was to be replaced is gone.
    request.statuses = [404, 409, 412, 501]
    let answer = try client.send(request)
    if answer.message.status == 501 || answer.error?.code == "NotImplemented" {
      noteUnheeded()
      return try putLock(key, record, replacing: tag)
    }
    if answer.error?.code == "NoSuchBucket" {
      throw VarveError(.notFound, "there is no such bucket", place: address(""))
    }
    if (200..<300).contains(answer.message.status), let tag = answer.message.headers["etag"] { return tag }
    // A try before this one may have been carried out.
    if let there = try lockObject(key), there.record == record { return there.tag }
    return nil
  }

  /// By the put of a lock that is there, on condition that none is.
  private func findOutAboutConditions(_ key: String, _ record: LockRecord) throws {
    if conditions.read({ $0 }) == .unknown {
      var request = Self.putRequest(key, record.bytes)
      request.headers.append(("If-None-Match", "*"))
      request.statuses = [409, 412, 501]
      if (200..<300).contains(try client.send(request).message.status) {
        noteUnheeded()
      } else {
        conditions.update { $0 = .heeded }
      }
    }
    guard conditions.read({ $0 }) == .unheeded else { return }
    guard try lockObject(key)?.record == record else { throw isLocked(key, freeIn: Int64(lockSeconds)) }
  }

  private func noteUnheeded() {
    conditions.update { $0 = .unheeded }
    warn(
      "the object store at \(client.place.origin) does not heed If-Match and If-None-Match: two that take a lock in the "
        + "same moment may both have it")
  }
}

/// What a store makes of conditions of puts.
enum ConditionalPuts: Sendable { case unknown, heeded, unheeded }

private final class S3Lock: ObjectLock {
  private let keeper: LockKeeper
  init(_ keeper: LockKeeper) {
    self.keeper = keeper
    keeper.start()
  }
  deinit { keeper.release() }
  func check() throws { try keeper.check() }
  func release() { keeper.release() }
}

/// Renews a lock on a thread of its own.
private final class LockKeeper: Sendable {
  private struct State: Sendable {
    var record: LockRecord
    var tag: String
    /// When the request was sent that it holds by.
    var heldSince: Int64
    var isEnding = false
    var loss: VarveError?
    var thread: WorkerThread?
  }
  private let store: S3Store
  private let key: String
  private let state: Gate<State>

  init(_ store: S3Store, _ key: String, _ record: LockRecord, tag: String, heldSince: Int64) {
    self.store = store
    self.key = key
    state = Gate(State(record: record, tag: tag, heldSince: heldSince))
  }

  func start() {
    let thread = WorkerThread(name: "varve-s3-lock") { [self] in
      let pause = state.read { $0.record.seconds } * 1000 / Limits.objectLockRenewals
      while state.wait(milliseconds: pause, until: { $0.isEnding || $0.loss != nil ? true : nil }) == nil { renew() }
    }
    state.update { $0.thread = thread }
  }

  func check() throws {
    let now = store.clock.monotonicNanoseconds()
    let (loss, isOver) = state.read { ($0.loss, now - $0.heldSince >= Int64($0.record.seconds) * 1_000_000_000) }
    if let loss { throw loss }
    if isOver { throw lost() }
  }

  func release() {
    let thread = state.update { state in
      state.isEnding = true
      defer { state.thread = nil }
      return state.thread
    }
    guard let thread else { return }
    thread.join()
    if state.read({ $0.loss }) != nil { return }
    var (record, tag) = state.read { ($0.record, $0.tag) }
    record.renewal += 1
    record.isHeld = false
    do { _ = try store.putLock(key, record, replacing: tag) } catch {
      store.warn("the lock \(store.address(key)) was not released, and is free in \(record.seconds) s: \(error)")
    }
  }

  private func renew() {
    var (record, tag) = state.read { ($0.record, $0.tag) }
    record.renewal += 1
    let began = store.clock.monotonicNanoseconds()
    do {
      let renewed = try store.putLock(key, record, replacing: tag)
      state.update { state in
        if let renewed {
          (state.record, state.tag, state.heldSince) = (record, renewed, began)
        } else {
          state.loss = lost()
        }
      }
    } catch {
      // The next try may find the store again; until then it holds as long as it did.
      store.warn("the lock \(store.address(key)) was not renewed: \(error)")
    }
  }

  private func lost() -> VarveError {
    VarveError(
      .directoryLocked, "the lock was not renewed in time, and somebody else may have it",
      hint: "try again when the object store answers without long pauses", place: store.address(key))
  }
}
