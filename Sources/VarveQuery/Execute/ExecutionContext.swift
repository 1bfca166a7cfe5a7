// What one execution of a statement shares: the moment it sees, its values, its limits. Used by one thread; helpers get
// contexts of their own, which share the memory account and the control.

import Synchronization
import VarveCompute
import VarveCore
import VarveStorage

/// How an execution is stopped from outside, and by its own deadline. Asked between batches.
package final class ExecutionControl: Sendable {
  private let cancelled = Atomic<Bool>(false)
  private let terminated = Atomic<Bool>(false)
  private let expired = Atomic<Bool>(false)

  package func cancel() { cancelled.store(true, ordering: .relaxed) }
  /// For good: every later statement of the session ends, too.
  package func terminate() { terminated.store(true, ordering: .relaxed) }
  func reset() { cancelled.store(false, ordering: .relaxed) }

  /// A statement begins, whose time is not over.
  func renew() { expired.store(false, ordering: .relaxed) }
  var hasExpired: Bool { expired.load(ordering: .relaxed) }

  /// Throws 57014 when the statement was cancelled or its time is over, 57P01 when its session is to end.
  func check(_ deadline: Int64?, _ clock: SessionClock) throws {
    if cancelled.load(ordering: .relaxed) {
      throw VarveError(.cancelled, "canceling statement due to user request", sqlState: "57014")
    }
    if terminated.load(ordering: .relaxed) {
      throw VarveError(.cancelled, "terminating connection due to administrator command", sqlState: "57P01")
    }
    if let deadline, clock.monotonicNanoseconds() > deadline {
      expired.store(true, ordering: .relaxed)
      throw VarveError(
        .cancelled, "canceling statement due to statement timeout",
        hint: "SET statement_timeout changes the limit; 0 turns it off.", sqlState: "57014")
    }
  }
}

/// What operators hold in memory, against the limit of the query.
final class MemoryAccount: Sendable {
  let limit: Int
  private let held = Atomic<Int>(0)
  private let greatest = Atomic<Int>(0)
  var used: Int { held.load(ordering: .relaxed) }
  var peak: Int { greatest.load(ordering: .relaxed) }
  init(limit: Int) { self.limit = limit }

  /// Throws 53200 beyond the limit.
  func charge(_ byteCount: Int) throws {
    let used = held.add(byteCount, ordering: .relaxed).newValue
    greatest.max(used, ordering: .relaxed)
    if used > limit {
      throw VarveError(
        .limitExceeded, "the query needs more than its \(limit >> 20) MB of memory",
        hint: "Narrow the time range, select fewer columns, or raise the limit: SET varve.query_memory_limit = '1GB'.",
        sqlState: "53200")
    }
  }
  func release(_ byteCount: Int) { held.subtract(byteCount, ordering: .relaxed) }
}

/// When a statement has run long enough, in monotonic nanoseconds; nil: never. A cursor's is set anew by each FETCH.
/// Helpers of the query may look at it meanwhile.
final class ExecutionDeadline: Sendable {
  private let value: Atomic<Int64>
  init(_ nanoseconds: Int64?) { value = Atomic(nanoseconds ?? .max) }

  var nanoseconds: Int64? {
    get {
      let value = value.load(ordering: .relaxed)
      return value == .max ? nil : value
    }
    set { value.store(newValue ?? .max, ordering: .relaxed) }
  }
}

final class ExecutionContext {
  let catalog: CatalogView
  let evaluation: EvaluationContext
  let parameters: [Datum]
  let memory: MemoryAccount
  let control: ExecutionControl
  /// Of the statement and all that runs for it.
  let limit: ExecutionDeadline
  let clock: SessionClock
  let helpers: any QueryHelpers
  /// Slots of `.outer` expressions.
  let outerValues: [Datum]
  /// For EXPLAIN ANALYZE, and for the log of slow statements; nil where neither may ask.
  let profile: Profile?
  /// Results of subqueries that take nothing from around them.
  private(set) var subqueryResults: SubqueryResults
  /// What joins know of scans below them, while those are opened.
  var restrictions: [ObjectIdentifier: [TagPredicate]] = [:]
  /// By node; nil where no rollup can answer at all.
  var rollupChoices: [ObjectIdentifier: RollupChoice?] = [:]
  /// Plans that nodes became in this snapshot, by node: EXPLAIN shows what was run.
  private var expansions: [ObjectIdentifier: any PlanNode] = [:]
  private let depth: Int

  var snapshot: any ReadSnapshot { catalog.snapshot }
  /// Monotonic nanoseconds; nil: no limit.
  var deadline: Int64? { limit.nanoseconds }
  /// From now to the deadline; nil: there is none.
  var remainingNanoseconds: Int64? { deadline.map { max(0, $0 &- clock.monotonicNanoseconds()) } }

  init(
    catalog: CatalogView, evaluation: EvaluationContext, parameters: [Datum], memory: MemoryAccount,
    control: ExecutionControl, deadline: Int64?, clock: SessionClock, helpers: any QueryHelpers,
    profile: Profile? = nil
  ) {
    self.catalog = catalog
    self.evaluation = evaluation
    self.parameters = parameters
    self.memory = memory
    self.control = control
    limit = ExecutionDeadline(deadline)
    self.clock = clock
    self.helpers = helpers
    self.profile = profile
    outerValues = []
    subqueryResults = SubqueryResults()
    depth = 0
  }

  private init(_ outer: ExecutionContext, _ values: [Datum], profile: Profile?, sharesSubqueries: Bool) {
    catalog = outer.catalog
    evaluation = outer.evaluation
    parameters = outer.parameters
    memory = outer.memory
    control = outer.control
    limit = outer.limit
    clock = outer.clock
    helpers = outer.helpers
    self.profile = profile
    outerValues = values
    // A subquery within may look at the values of this one: what it gives is good for these values only.
    subqueryResults = sharesSubqueries ? outer.subqueryResults : SubqueryResults()
    depth = outer.depth + 1
  }

  /// For running a query inside of this one with values of its surroundings.
  func nested(_ values: [Datum]) -> ExecutionContext {
    ExecutionContext(
      self, values, profile: profile.flatMap { $0.coversSubqueries ? $0 : nil }, sharesSubqueries: values.isEmpty)
  }

  /// For a part of this execution on another thread. What it did is for the caller to note in the profile.
  func forHelper() -> ExecutionContext {
    ExecutionContext(self, outerValues, profile: nil, sharesSubqueries: false)
  }

  /// Throws when the statement is to end; tells how much memory it holds.
  func check() throws {
    catalog.session.activity.holds(memory: memory.used)
    try control.check(deadline, clock)
  }

  func expansion(of node: any PlanNode) -> (any PlanNode)? { expansions[ObjectIdentifier(node)] }
  func note(expansion: any PlanNode, of node: any PlanNode) { expansions[ObjectIdentifier(node)] = expansion }

  func open(_ node: any PlanNode) throws -> any Operator { try profiled(node) { try node.open(self) } }

  /// What `open` makes of the node, watched where EXPLAIN ANALYZE asks.
  func profiled(_ node: any PlanNode, _ open: () throws -> any Operator) throws -> any Operator {
    guard let profile else { return try open() }
    let started = clock.monotonicNanoseconds()
    let entry = profile.entry(for: node)
    let inner = try open()
    let nanoseconds = clock.monotonicNanoseconds() - started
    entry.nanoseconds += nanoseconds
    entry.startupNanoseconds += nanoseconds
    entry.loops += 1
    return ProfiledOperator(inner, entry, clock)
  }
}

/// Time as a session knows it: injected, so that tests and simulations decide it.
package struct SessionClock: Sendable {
  /// Since 1970; may jump.
  package var wallNanoseconds: @Sendable () -> Int64
  /// Never goes back.
  package var monotonicNanoseconds: @Sendable () -> Int64
  package init(
    wallNanoseconds: @escaping @Sendable () -> Int64, monotonicNanoseconds: @escaping @Sendable () -> Int64
  ) {
    self.wallNanoseconds = wallNanoseconds
    self.monotonicNanoseconds = monotonicNanoseconds
  }
}
