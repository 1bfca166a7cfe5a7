// The thread that refreshes rollups by itself, as their policies say: soon after a bucket has ended, and soon after rows
// came late; and that lets old rows go (`JobScheduler+Retention`). What fails is tried again later, longer each time; the others go on.
//
// It works in turns. In one, each rollup that has something to do gets some pieces of work, sources first, so that what is
// made from them follows in the same turn; between pieces it stands back while sealing cannot keep up with ingest. It
// holds its database only while it works in it: one that nobody else holds is let go of.

import Synchronization
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

final class JobScheduler: Sendable {
  struct State: Sendable {
    var isStopping = false
    var times = RefreshTimes()
    var retention = AgeJobTimes()
    /// Monotonic time of the latest rows of each table that a rollup is made from, as far as that is known: at first, when
    /// it came to be one.
    var writes: [Name: Int64] = [:]
  }

  private static let turnMilliseconds = 500
  private static let pauseMilliseconds = 50
  /// Pieces of work that a rollup gets in one turn.
  private static let piecesPerTurn = 16

  let clock: any Clock
  let log: @Sendable (Database.LogLevel, String) -> Void
  let gate = Gate(State())

  init(_ clock: any Clock, log: @escaping @Sendable (Database.LogLevel, String) -> Void) {
    self.clock = clock
    self.log = log
  }

  /// On the committing thread.
  func note(_ commit: CommitNotice) {
    let now = clock.monotonicNanoseconds()
    gate.update(waking: []) { state in
      if state.writes.isEmpty { return }
      for (table, _) in commit.rows {
        let name = Name(table)
        if state.writes[name] != nil { state.writes[name] = now }
      }
    }
  }

  func start(_ database: Database) {
    _ = WorkerThread(name: "varve-jobs", priority: .patient(niceness: 10)) { [self, weak database] in
      while !isStopping(within: Self.turnMilliseconds) {
        guard let database else { return }
        var hasMore = true
        while hasMore { hasMore = turn(database) }
      }
    }
  }

  /// Ends soon; work that has begun is ended by the database, which waits for it.
  func stop() { gate.update { $0.isStopping = true } }

  private func isStopping(within milliseconds: Int) -> Bool {
    if milliseconds == 0 { return gate.read { $0.isStopping } }
    return gate.wait(milliseconds: milliseconds) { $0.isStopping ? true : nil } ?? false
  }

  // MARK: - A turn

  /// Does what is due, of each rollup as much as one turn gives it. Whether something is left.
  func turn(_ database: Database) -> Bool {
    let session = database.makeJobSession()
    defer { session.close() }
    do {
      return try database.reading(stop: session.cancellation.cancel) {
        let jobs = try session.refreshJobs()
        let now = clock.monotonicNanoseconds()
        gate.update(waking: []) { state in
          state.times.keep(Set(jobs.map(\.table)))
          for job in jobs { state.times.policyIs(job.policy, of: job.table) }
          let sources = Set(jobs.map { Name($0.source) })
          if sources != Set(state.writes.keys) {
            state.writes = Dictionary(uniqueKeysWithValues: sources.map { ($0, state.writes[$0] ?? now) })
          }
        }
        var hasMore = false
        for job in jobs { hasMore = try run(job, session, database) || hasMore }
        try retain(session, database)
        return hasMore
      }
    } catch {
      let error = asVarveError(error)
      if error.code != .closed { log(.warning, "jobs are looked at again later: \(error)") }
      return false
    }
  }

  /// Whether something is left. Throws only what ends the turn.
  private func run(_ job: RefreshJob, _ session: QuerySession, _ database: Database) throws -> Bool {
    do {
      guard let (policy, scope) = try due(job, session) else { return false }
      let start = clock.monotonicNanoseconds()
      let progress = try session.refresh(job, scope, limit: Self.piecesPerTurn) { try standBack(database) }
      let end = clock.monotonicNanoseconds()
      gate.update(waking: []) { state in
        state.times.succeeded(
          job.table, from: start, to: end, isDone: progress == .done, tookLate: scope.takesLate,
          scheduleNanoseconds: policy.scheduleNanoseconds)
      }
      tellNextRun(job, session)
      return progress == .more
    } catch {
      let error = asVarveError(error)
      if error.code == .closed || error.code == .cancelled { throw error }
      let now = clock.monotonicNanoseconds()
      let isNews = gate.update(waking: []) { $0.times.failed(job.table, error, now: now) }
      if isNews { log(.warning, "rollup \"\(job.name)\" could not be refreshed; it is tried again later: \(error)") }
      tellNextRun(job, session)
      return false
    }
  }

  /// What is to be done of a rollup; nil: nothing.
  private func due(_ job: RefreshJob, _ session: QuerySession) throws -> (RefreshPolicy, RefreshScope)? {
    let now = clock.monotonicNanoseconds()
    let (isWaiting, lastWrite) = gate.read {
      ($0.times.isWaiting(job.table, now: now), $0.writes[Name(job.source)] ?? now)
    }
    if isWaiting { return nil }
    do {
      let policy = try RefreshPolicy(job.policy)
      return policy.isPaused ? nil : try scope(job, policy, session, quiet: now - lastWrite, now).map { (policy, $0) }
    } catch {
      session.refreshRecords.update(job.table) { $0.failed(asVarveError(error)) }
      throw error
    }
  }

  /// `quiet`: how long no rows have come.
  private func scope(
    _ job: RefreshJob, _ policy: RefreshPolicy, _ session: QuerySession, quiet: Int64, _ now: Int64
  ) throws -> RefreshScope? {
    var scope = RefreshScope()
    scope.within = try policy.range(at: clock.wallNanoseconds())
    scope.settleNanoseconds = RefreshTimes.settleNanoseconds
    scope.leavesNewest = quiet < RefreshTimes.pastNanoseconds
    let outlook = try session.outlook(of: job, scope)
    scope.takesLate = gate.update(waking: []) {
      $0.times.takesLate(job.table, hasLate: outlook.hasLate, quiet: quiet, now: now)
    }
    return outlook.hasNew || scope.takesLate ? scope : nil
  }

  private func tellNextRun(_ job: RefreshJob, _ session: QuerySession) {
    let next = gate.read { $0.times.nextRun(job.table) }
    let (wall, monotonic) = (clock.wallNanoseconds(), clock.monotonicNanoseconds())
    session.refreshRecords.update(job.table) { $0.nextRun = next.map { wall + ($0 - monotonic) } }
  }

  /// Waits while sealing is behind. Throws when the database closes.
  func standBack(_ database: Database) throws {
    repeat {
      let isBehind = database.pipeline?.isSealingBehind ?? false
      if isStopping(within: isBehind ? Self.pauseMilliseconds : 0) {
        throw VarveError(.closed, "the database is closing")
      }
      if !isBehind { return }
    } while true
  }
}
