// The threads of a running store: one that commits, one that writes chunks, one that compacts them.
//
// Requests queue up while a commit is synced, and the next group takes what came meanwhile: one sync for many writers,
// who are served in fair order (`FairQueue`). The same thread freezes the head and installs finished chunks between
// groups, so the store is only ever changed by one thread. When sealing cannot keep up, groups wait, the queue grows to
// its bound, and whoever fills it is told to stop reading (`isSaturated`).

import VarveCore
import VarveIO

package final class CommitPipeline: BatchSink {
  struct Job: Sendable {
    let request: CommitRequest
    let byteCount: Int
    let `protocol`: IngestProtocol
    /// Monotonic.
    let submitted: Int64
    let completion: @Sendable (CommitOutcome) -> Void
  }

  enum Seal: Sendable {
    case idle
    /// The head is frozen; chunks are being written.
    case writing
    /// Chunks are durable and wait to be installed, not before this monotonic time.
    case written(SealedChunks, notBefore: Int64)
    /// Chunks could not be written for want of room; tried again at this monotonic time.
    case waiting(until: Int64)
  }

  /// Compacted chunks, durable, and who waits for them to be installed.
  struct Compacted: Sendable {
    let chunks: CompactedChunks
    let outcome: Gate<Result<Bool, VarveError>?>
  }

  struct State: Sendable {
    var queue = FairQueue<Job>()
    var queuedByteCount = 0
    /// Taken from the queue, and not committed yet.
    var committing: [Job] = []
    /// Monotonic time of the last small write.
    var lastSmallWrite = Int64.min
    /// Whether the last write was refused for want of room.
    var isShortOfRoom = false
    var seal = Seal.idle
    var compacted: [Compacted] = []
    var visits: [Visit] = []
    /// Commits that somebody waits to see in chunks, and those that are.
    var flushTarget = Sequence.zero
    var flushed: Sequence
    /// How often sealing failed for good, and how it did last.
    var sealFailures = 0
    var sealError: VarveError?
    var closing = false
    var committerDone = false
  }

  let store: Store
  /// Each of its waiters waits for changes of its own.
  let gate: Gate<State>
  package let meter = IngestMeter()
  private let groupByteCount: Int
  let saturationByteCount: Int
  private let committer: Gate<WorkerThread?> = Gate(nil)
  private let sealer: Gate<WorkerThread?> = Gate(nil)
  private let compactor: Gate<CompactionRunner?> = Gate(nil)
  /// Monotonic time of the last sync by the timer.
  private let lastSync = Gate<Int64>(0)

  package init(_ store: Store, groupByteCount: Int = 4 << 20, saturationByteCount: Int = 32 << 20) {
    self.store = store
    gate = Gate(State(flushed: store.flushed))
    self.groupByteCount = groupByteCount
    self.saturationByteCount = saturationByteCount
    committer.update { $0 = WorkerThread(name: "varve-commit") { [self] in commitLoop() } }
    // Whoever waits for an answer waits for the other threads; if these fall behind, commits wait, and they catch up.
    sealer.update { $0 = WorkerThread(name: "varve-seal", priority: .patient(niceness: 5)) { [self] in sealLoop() } }
    let runner = CompactionRunner(
      store, isIngestBehind: { [self] in isSealingBehind }, install: { [self] in install($0) })
    compactor.update { $0 = runner }
    runner.start()
  }

  // MARK: - For writers

  package func submit(
    _ batches: [PointBatch], from writer: IngestWriter,
    completion: @escaping @Sendable (Result<[WriteResult], VarveError>) -> Void
  ) {
    submit(.write(batches), byteCount: batches.reduce(0) { $0 + $1.byteCount }, from: writer, completion)
  }

  package func submit(
    _ request: CommitRequest, byteCount: Int = 0, from writer: IngestWriter,
    _ completion: @escaping @Sendable (CommitOutcome) -> Void
  ) {
    let job = Job(
      request: request, byteCount: byteCount, protocol: writer.protocol,
      submitted: store.options.clock.monotonicNanoseconds(), completion: completion)
    let accepted = gate.update(waking: .committer) { state in
      guard !state.closing else { return false }
      state.queue.append(job, writer: writer.number, cost: byteCount, isSmall: job.isSmall)
      if job.isSmall { state.lastSmallWrite = job.submitted }
      state.queuedByteCount += byteCount
      return true
    }
    if !accepted { completion(.failure(VarveError(.closed, "the database is closing"))) }
  }

  package var isSaturated: Bool { gate.read { $0.queuedByteCount >= saturationByteCount } }

  /// Many connections with one batch each come this far.
  package var isOverfull: Bool { gate.read { $0.queuedByteCount >= 4 * saturationByteCount } }

  /// Whether writers wait for it. Work that nobody waits for stands back then.
  package var isSealingBehind: Bool { gate.read { !mayCommit($0) } }

  package var queuedByteCount: Int { gate.read { $0.queuedByteCount } }

  /// Commits and waits.
  package func write(
    _ request: CommitRequest, byteCount: Int = 0, from writer: IngestWriter = IngestWriter(.embedded)
  ) throws -> [WriteResult] {
    let answer = Gate<CommitOutcome?>(nil)
    submit(request, byteCount: byteCount, from: writer) { outcome in answer.update { $0 = outcome } }
    guard let outcome = answer.wait(until: { $0 }) else { preconditionFailure("waiting without a limit gives a value") }
    return try outcome.get()
  }

  /// Seals everything that is acknowledged, and waits for it. Throws what keeps the seal from being finished.
  package func flush() throws {
    let target = store.sequence
    let failuresBefore = gate.update(waking: .committer) { state in
      state.flushTarget = max(state.flushTarget, target)
      return state.sealFailures
    }
    let outcome = gate.wait(as: .flushes, waking: []) { state -> Result<Void, VarveError>? in
      if state.flushed >= target { return .success(()) }
      if state.sealFailures > failuresBefore, let error = state.sealError { return .failure(error) }
      return state.committerDone ? .failure(VarveError(.closed, "the database is closed")) : nil
    }
    try outcome?.get()
  }

  /// Makes each partition of the table (nil: of all tables) one generation of chunks in the smallest form, and waits for
  /// it. `check` is called now and then, and throws to end it.
  package func compact(table: TableID?, check: () throws -> Void) throws {
    guard let runner = compactor.read({ $0 }) else { throw Self.closed }
    try runner.compact(table: table, check: check)
  }

  /// Takes nothing more. Whoever waits for a commit or a flush gets an answer soon, so that threads they hold are free
  /// for `close`.
  package func beginClosing() {
    gate.update(waking: .committer) { $0.closing = true }
    compactor.read { $0 }?.stop()
  }

  /// Commits what is queued, then stops the threads. What was not sealed stays in the log; a compaction under way comes
  /// to nothing.
  package func close() {
    beginClosing()
    committer.read { $0 }?.join()
    sealer.read { $0 }?.join()
    compactor.read { $0 }?.join()
    // The runner and the pipeline hold each other.
    compactor.update { $0 = nil }
  }

  // MARK: - The committing thread

  private enum Turn {
    case commit([Job], more: Bool)
    /// The head is full and there is no room to seal it.
    case refuse([Job])
    case housekeeping
    case stop
  }

  private func commitLoop() {
    while true {
      switch nextTurn() {
      case .commit(let jobs, let more):
        let began = store.options.clock.monotonicNanoseconds()
        let outcomes = store.commit(jobs.map(\.request))
        count(jobs, outcomes, began: began)
        for (job, outcome) in zip(jobs, outcomes) { job.completion(outcome) }
        if !more { store.markDurable() }
        keepHouse()
      case .refuse(let jobs):
        let error = VarveError(
          .diskFull, "there is no room on the disk to write out the rows in memory",
          hint: "make room; then the same write succeeds")
        gate.update(waking: []) { $0.committing = [] }
        meter.refused(jobs.count, error.code)
        for job in jobs { job.completion(.failure(error)) }
        keepHouse()
      case .housekeeping: keepHouse()
      case .stop:
        // A seal that is being written is not waited for: its rows are in the log.
        let (waiting, visits) = gate.update { state in
          state.committerDone = true
          defer { (state.compacted, state.visits) = ([], []) }
          return (state.compacted, state.visits)
        }
        for each in waiting { each.outcome.update { $0 = .failure(Self.closed) } }
        for visit in visits { visit(Self.closed) }
        return
      }
    }
  }

  /// Waits for something to do, at most as long as the timers allow.
  private func nextTurn() -> Turn {
    let patience: Int = if case .interval(let milliseconds) = store.options.sync { min(milliseconds, 200) } else { 200 }
    return gate.wait(as: .committer, milliseconds: patience, waking: []) { state -> Turn? in
      if case .written(_, let time) = state.seal, store.options.clock.monotonicNanoseconds() >= time {
        return .housekeeping
      }
      if !state.compacted.isEmpty || !state.visits.isEmpty { return .housekeeping }
      if let lane = state.queue.nextLane, let first = state.queue.first(lane) {
        if mayCommit(state) || first.request.needsNoRoom { return takeGroup(lane, &state) }
        if let small = state.queue.first(.small), small.request.needsNoRoom || mayCommitSmall(state) {
          return takeGroup(.small, &state)
        }
        if isOutOfRoom(state) { return .refuse(takeJobs(lane, &state)) }
      }
      if state.closing, state.queue.isEmpty { return .stop }
      if state.flushTarget > state.flushed, case .idle = state.seal { return .housekeeping }
      return nil
    } ?? .housekeeping
  }

  /// Writers wait while the active head is full and the sealing one is not done; not when the end is near.
  func mayCommit(_ state: State) -> Bool {
    if case .idle = state.seal { return true }
    if state.closing { return true }
    return store.headByteCounts.active < store.options.sealByteCount
  }

  /// An eighth of the head beyond is for small writes, which so don't wait for a seal that large ones brought about.
  private func mayCommitSmall(_ state: State) -> Bool {
    store.headByteCounts.active < store.options.sealByteCount + store.options.sealByteCount / 8
  }

  /// Whether sealing waits for room on the disk.
  func isOutOfRoom(_ state: State) -> Bool {
    switch state.seal {
    case .waiting: true
    case .written(_, let time): time > 0
    case .idle, .writing: false
    }
  }

  /// The jobs of the next commit: a definition or a delete alone, or writes up to the size of a group.
  private func takeGroup(_ lane: FairQueue<Job>.Lane, _ state: inout State) -> Turn {
    let jobs = takeJobs(lane, &state)
    return .commit(jobs, more: !state.queue.isEmpty)
  }

  /// Small writes don't share a group with large ones, and while there are any, large groups are kept short: whoever
  /// waits for the answer to a line waits for no megabytes beside it, and for few before it.
  private func takeJobs(_ lane: FairQueue<Job>.Lane, _ state: inout State) -> [Job] {
    var jobs: [Job] = []
    var bytes = 0
    let sinceSmall = store.options.clock.monotonicNanoseconds().subtractingReportingOverflow(state.lastSmallWrite)
    let isAlone = sinceSmall.overflow || sinceSmall.partialValue > 1_000_000_000
    let byteLimit = isAlone ? groupByteCount : groupByteCount / 4
    while let next = state.queue.first(lane) {
      if !jobs.isEmpty {
        let isItsTurn = lane == .small || state.queue.nextLane == .large
        if next.request.standsAlone || !isItsTurn || bytes + next.byteCount > byteLimit { break }
      }
      jobs.append(state.queue.removeFirst(lane))
      bytes += next.byteCount
      if next.request.standsAlone { break }
    }
    state.queuedByteCount -= bytes
    state.committing = jobs
    return jobs
  }

  private func count(_ jobs: [Job], _ outcomes: [CommitOutcome], began: Int64) {
    let isShortOfRoom = outcomes.contains {
      if case .failure(let error) = $0 { error.code == .diskFull } else { false }
    }
    gate.update(waking: store.mayGather ? .sealer : []) { state in
      state.committing = []
      state.isShortOfRoom = isShortOfRoom
    }
    let now = store.options.clock.monotonicNanoseconds()
    meter.committed(
      zip(jobs, outcomes).map { job, outcome in
        IngestMeter.Committed(
          batches: job.request.batches, outcome: outcome, protocol: job.protocol,
          nanoseconds: UInt64(max(0, now - job.submitted)))
      }, commitNanoseconds: UInt64(max(0, now - began)), now: store.options.clock.wallNanoseconds())
  }

  /// Timers, freeze and install.
  private func keepHouse() {
    if case .interval(let milliseconds) = store.options.sync { syncIfDue(milliseconds) }
    receiveVisits()
    installCompacted()
    switch gate.read({ $0.seal }) {
    case .written(let chunks, let time):
      if store.options.clock.monotonicNanoseconds() >= time { install(chunks) }
    case .writing: break
    case .waiting: store.releaseKeptLog()
    case .idle: freezeIfDue()
    }
  }

  private func syncIfDue(_ milliseconds: Int) {
    let now = store.options.clock.monotonicNanoseconds()
    guard now - lastSync.read({ $0 }) >= Int64(milliseconds) * 1_000_000 else { return }
    lastSync.update { $0 = now }
    // A failed sync has made the store read-only and is in its log; the next commit tells the writer.
    do { try store.syncLog() } catch { store.options.log(.error, "syncing the log: \(error)") }
  }

  private func installCompacted() {
    let ready = gate.update(waking: []) { state in
      defer { state.compacted = [] }
      return state.compacted
    }
    for each in ready {
      let outcome = Result { try store.install(each.chunks, removesInputs: false) }.mapError(asVarveError)
      each.outcome.update { $0 = outcome }
    }
  }

  static var closed: VarveError { VarveError(.closed, "the database is closed") }

  // MARK: - For those who write chunks anew

  /// Has the committing thread install the chunks, and waits for it; their inputs' files are the caller's to remove.
  package func install(_ chunks: CompactedChunks) -> Result<Bool, VarveError> {
    let outcome = Gate<Result<Bool, VarveError>?>(nil)
    let isAccepted = gate.update(waking: .committer) { state in
      if !state.committerDone { state.compacted.append(Compacted(chunks: chunks, outcome: outcome)) }
      return !state.committerDone
    }
    guard isAccepted else { return .failure(Self.closed) }
    guard let result = outcome.wait(until: { $0 }) else { preconditionFailure("waiting without a limit gives a value") }
    return result
  }
}

extension GateWaiters {
  /// For requests, finished chunks and the end.
  static let committer = GateWaiters.first
  /// For a frozen head.
  static let sealer = GateWaiters.second
  /// For what they want to see in chunks.
  static let flushes = GateWaiters.third
}

extension CommitPipeline.Job {
  /// A group of such takes no longer than its sync.
  fileprivate var isSmall: Bool { byteCount <= 64 << 10 }
}

extension PointBatch {
  /// Bytes its rows take in the head.
  package var byteCount: Int {
    fields.reduce(times.count * 12 + 256) { $0 + $1.column.byteCount }
  }
}
