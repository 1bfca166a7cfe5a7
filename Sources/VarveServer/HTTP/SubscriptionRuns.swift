// Subscriptions over HTTP: each is an answer without an end, made of server-sent events.
//
//   ready            where it begins, and the columns
//   rows             what a commit brought; a large commit in parts, of which the last has the id
//   bucket           finished buckets: from, to, their rows
//   corrected        buckets that were told before, as they are now
//   changed          buckets that were told before have changed: from, to, no rows
//   gone             the log does not reach back to where the client is: it begins anew
//   end              the server stops, or an administrator ends it; failed: the query cannot go on

import Synchronization
import Varve
import VarveCompute
import VarveCore
import VarveQuery
import VarveWire

/// All that are open, so that they can be ended together.
final class SubscriptionRuns: Sendable {
  private struct State: Sendable {
    var next = 0
    var ends: [Int: @Sendable () -> Void] = [:]
    var isEnded = false
  }

  private let state = Mutex(State())

  func begin(_ subscription: HTTPSubscription, _ database: Database) -> any HTTPQueryRun {
    let run = SubscriptionRun(subscription, database)
    let number = state.withLock { state -> Int? in
      guard !state.isEnded else { return nil }
      state.next += 1
      state.ends[state.next] = { [weak run] in run?.stop() }
      return state.next
    }
    if let number {
      run.onEnd { [weak self] in self?.state.withLock { _ = $0.ends.removeValue(forKey: number) } }
    } else {
      run.stop()
    }
    return run
  }

  func end() {
    let ends = state.withLock { state in
      state.isEnded = true
      return Array(state.ends.values)
    }
    for end in ends { end() }
  }
}

final class SubscriptionRun: HTTPQueryRun {
  private struct State: Sendable {
    var live: LiveQuery?
    var ending: VarveError?
    var hasEnded = false
    var onEnd: (@Sendable () -> Void)?
  }

  private let subscription: HTTPSubscription
  private let database: Database
  private let activity: SessionActivity
  private let state = Mutex(State())

  init(_ subscription: HTTPSubscription, _ database: Database) {
    self.subscription = subscription
    self.database = database
    activity = database.monitor.open(
      user: StartupParameters().user, database: subscription.query.database, protocol: .http,
      clientAddress: subscription.query.clientAddress)
    activity.isQueued(subscription.query.sql)
  }

  deinit {
    database.monitor.close(activity)
    state.withLock { $0.onEnd.take() }?()
  }

  func onEnd(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onEnd = body } }

  /// The server stops.
  func stop() { end(VarveError(.closed, "the server is shutting down", sqlState: "57P01")) }

  /// The client has gone.
  func cancel() { end(VarveError(.cancelled, "the client has gone", sqlState: "57014")) }

  private func end(_ error: VarveError) {
    let live = state.withLock { state in
      state.ending = state.ending ?? error
      return state.live
    }
    live?.stop(error)
  }

  func next() async throws -> (bytes: [UInt8], isLast: Bool) {
    guard let live = state.withLock({ $0.live }) else { return (try await begin(), false) }
    do {
      let heartbeat = Duration.seconds(subscription.heartbeatSeconds)
      if let bytes = try await live.next(within: heartbeat, SubscriptionEvents.bytes) { return (bytes, false) }
      var text = EventText()
      text.heartbeat(id: live.offset)
      return (text.bytes, false)
    } catch {
      return (SubscriptionEvents.end(error, oldest: database.store.feed.oldest), true)
    }
  }

  /// Opens it: what is wrong with the query, or with where it is to go on, is an answer of its own.
  private func begin() async throws -> [UInt8] {
    let live = try await database.liveWorkers.run { [self] in try open() }
    let ending = state.withLock { state in
      state.live = live
      return state.ending
    }
    if let ending { live.stop(ending) }
    return SubscriptionEvents.ready(live)
  }

  private func open() throws -> LiveQuery {
    let session = database.makeSession(activity: activity)
    var options = LiveQuery.Options()
    options.offset = subscription.offset
    do {
      let settings = [
        ("statement_timeout", subscription.query.timeout), ("application_name", subscription.query.clientName),
      ]
      for case (let name, let value?) in settings { try session.set(name, value) }
      if let grace = subscription.grace { options.graceNanoseconds = try Self.nanoseconds(grace) }
    } catch {
      session.close()
      throw error
    }
    return try LiveQuery(
      database, session, subscription.query.sql, parameters: subscription.query.parameters, options)
  }

  private static func nanoseconds(_ grace: String) throws -> Int64 {
    let datum = try TypeText.parse(grace, as: .interval, context: EvaluationContext(now: 0))
    guard case .interval(let interval) = datum, interval.months == 0, interval.days == 0,
      (0...86_400_000_000).contains(interval.microseconds)
    else {
      throw VarveError(
        .invalidArgument, "grace is a time from nothing to 24 hours, not '\(grace)'", hint: "grace=5s",
        sqlState: "22023")
    }
    return interval.microseconds * 1_000
  }
}
