// The thread that compacts: by itself, one step after another as the picker finds them due, at a bounded rate; and whole
// tables when somebody asks for it. It stands back while sealing cannot keep up with ingest, and ends at the next row
// block when the database closes: what it was writing comes to nothing, and is done again by the next process.
//
// While it is paused a step that has begun is finished, and no other begins but for those who ask.
//
// What fails for want of room, or of a disk that works, puts its partition off for a while; the others go on. A chunk that
// is damaged is named in the log once, and left alone.

import VarveCore
import VarveIO

final class CompactionRunner: Sendable {
  /// A table, or all of them, to be compacted whole; and who waits for it.
  private final class Request: Sendable {
    let table: TableID?
    let isCancelled = Gate(false)
    let outcome = Gate<Result<Void, VarveError>?>(nil)
    init(table: TableID?) { self.table = table }
  }

  private struct State: Sendable {
    var requests: [Request] = []
    var isStopping = false
    /// Monotonic time before which nothing is done unasked.
    var notBefore: Int64 = 0
  }

  private enum Turn { case request(Request), step, stop }

  private static let pauseMilliseconds = 50
  private static let idleNanoseconds: Int64 = 1_000_000_000

  private let store: Store
  private let gate = Gate(State())
  private let thread = Gate<WorkerThread?>(nil)
  private let isIngestBehind: @Sendable () -> Bool
  private let install: @Sendable (CompactedChunks) -> Result<Bool, VarveError>

  /// `install` has the committing thread install chunks, and waits for it. It leaves the inputs' files.
  init(
    _ store: Store, isIngestBehind: @escaping @Sendable () -> Bool,
    install: @escaping @Sendable (CompactedChunks) -> Result<Bool, VarveError>
  ) {
    self.store = store
    self.isIngestBehind = isIngestBehind
    self.install = install
  }

  func start() {
    thread.update { $0 = WorkerThread(name: "varve-compact", priority: .patient(niceness: 10)) { [self] in run() } }
  }

  /// Ends soon, and answers whoever waits.
  func stop() { gate.update { $0.isStopping = true } }

  func join() { thread.read { $0 }?.join() }

  /// Compacts the table (nil: all) whole, and waits for it. `check` is called now and then, and throws to end it. Throws
  /// what was met first of damage and of want of room, once everything else is done.
  func compact(table: TableID?, check: () throws -> Void) throws {
    let request = Request(table: table)
    let isAccepted = gate.update { state in
      if !state.isStopping { state.requests.append(request) }
      return !state.isStopping
    }
    guard isAccepted else { throw Self.closed }
    while true {
      if let outcome = request.outcome.wait(milliseconds: 100, until: { $0 }) { return try outcome.get() }
      do { try check() } catch {
        request.isCancelled.update { $0 = true }
        throw error
      }
    }
  }

  // MARK: - The thread

  private func run() {
    var pass: CompactionPass?
    while true {
      switch nextTurn() {
      case .request(let request):
        let outcome = Result { try compactWhole(request) }.mapError(asVarveError)
        request.outcome.update { $0 = outcome }
      case .step: pass = step(pass ?? CompactionPass(store))
      case .stop:
        for request in gate.update({ state in state.requests }) {
          request.outcome.update { $0 = .failure(Self.closed) }
        }
        return
      case nil: continue
      }
    }
  }

  private func nextTurn() -> Turn? {
    gate.wait(milliseconds: 500) { state -> Turn? in
      if state.isStopping { return .stop }
      if !state.requests.isEmpty { return .request(state.requests.removeFirst()) }
      let isDue = store.options.clock.monotonicNanoseconds() >= state.notBefore
      return isDue && store.options.compactsByItself && store.failure == nil && !store.isPaused(.compaction)
        ? .step : nil
    }
  }

  /// Does the next step of the pass; nil at its end. Where it had nothing to do, the next one waits a while.
  private func step(_ begun: CompactionPass) -> CompactionPass? {
    var pass = begun
    var partition: PartitionKey?
    do {
      let pacer = Pacer(store.options.clock, bytesPerSecond: store.options.compactionBytesPerSecond)
      let pick = {
        let task = self.store.pickCompaction(&pass)
        partition = task?.partition
        return task
      }
      let done = try store.compactOnce(
        pick, pace: { try self.pause(for: pacer.delayNanoseconds(behind: $0)) }, install: installed)
      guard done == nil else {
        pass.didCompact()
        return pass
      }
      if !pass.hasCompacted { rest(Self.idleNanoseconds) }
      return nil
    } catch {
      let error = asVarveError(error)
      if error.code == .closed { return pass }
      if error.isDamage {
        pass.didMeetDamage()
        store.options.log(.error, "a chunk cannot be compacted, and is left as it is: \(error)")
        return pass
      }
      pass.skip()
      if let partition, store.postpone(partition, error) {
        store.options.log(.warning, "a compaction failed; it is tried again later, others go on: \(error)")
      }
      return pass
    }
  }

  private func rest(_ nanoseconds: Int64) {
    let time = store.options.clock.monotonicNanoseconds() + nanoseconds
    gate.update { $0.notBefore = time }
  }

  /// As fast as it goes: somebody waits.
  private func compactWhole(_ request: Request) throws {
    let pace = { (_: Int) in
      if request.isCancelled.read({ $0 }) { throw VarveError(.cancelled, "the compaction was cancelled") }
      try self.pause(for: 0)
    }
    try store.compactWhole(request.table, pace: pace, install: installed)
  }

  private func installed(_ compacted: CompactedChunks) throws -> Bool {
    let isInstalled = try install(compacted).get()
    if isInstalled { store.removeInputs(of: compacted) }
    store.options.log(
      .info, "compacted \(compacted.description)" + (isInstalled ? "" : ", for nothing: an input has gone since"))
    return isInstalled
  }

  /// Waits as long as the pace wants, and as sealing is behind. Throws when the database closes.
  private func pause(for nanoseconds: Int64) throws {
    var left = Int(nanoseconds / 1_000_000)
    while true {
      let isBehind = isIngestBehind()
      let wait = isBehind ? Self.pauseMilliseconds : min(left, Self.pauseMilliseconds)
      let isStopping =
        wait > 0
        ? gate.wait(milliseconds: wait) { $0.isStopping ? true : nil } ?? false : gate.read { $0.isStopping }
      if isStopping { throw Self.closed }
      left -= wait
      if !isBehind, left <= 0 { return }
    }
  }

  private static var closed: VarveError { VarveError(.closed, "the database is closing") }
}

/// How long to wait so that bytes are written at a bounded rate. Time in which less was written, since somebody else had
/// to go first, is made up for by no more than a second's worth.
package final class Pacer {
  private static let creditNanoseconds: Int64 = 1_000_000_000

  private let clock: any Clock
  private let bytesPerSecond: Int
  /// Monotonic time at which what was written would have been, at that rate.
  private var due: Int64

  package init(_ clock: any Clock, bytesPerSecond: Int) {
    self.clock = clock
    self.bytesPerSecond = bytesPerSecond
    due = clock.monotonicNanoseconds()
  }

  /// `written` more bytes have been.
  package func delayNanoseconds(behind written: Int) -> Int64 {
    let now = clock.monotonicNanoseconds()
    due = max(due, now - Self.creditNanoseconds) + Int64(Double(written) / Double(bytesPerSecond) * 1e9)
    return max(0, due - now)
  }
}
