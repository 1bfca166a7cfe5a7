// The catalogue of functions, operators, casts and aggregates: what the binder looks up by name and types, and
// the executor runs over columns. `FunctionCatalog` finds them.

import VarveCore

/// What an expression may ask of its session.
package struct EvaluationContext: Sendable {
  /// `now()`: the transaction's start, nanoseconds since 1970.
  package var now: Int64
  /// Session time zone, an IANA name.
  package var timeZone: String
  package var intervalStyle = IntervalStyle.postgres
  /// Where zones come from. The default knows UTC and fixed offsets only.
  package var zones: TimeZoneDatabase
  /// `clock_timestamp()`: the wall clock, nanoseconds since 1970; nil: `now`.
  package var clock: (@Sendable () -> Int64)?
  /// Names of objects to oids (regclass, regproc; regtype is known here); nil for an unknown name.
  package var objectID: (@Sendable (_ name: String, _ type: SQLType) throws -> Int64?)?
  /// Oids to names, as regclass and its kin print; nil: print the number.
  package var objectName: (@Sendable (_ oid: Int64, _ type: SQLType) -> String?)?

  package init(
    now: Int64, timeZone: String = "UTC", intervalStyle: IntervalStyle = .postgres,
    zones: TimeZoneDatabase = .builtIn,
    clock: (@Sendable () -> Int64)? = nil,
    objectID: (@Sendable (_ name: String, _ type: SQLType) throws -> Int64?)? = nil,
    objectName: (@Sendable (_ oid: Int64, _ type: SQLType) -> String?)? = nil
  ) {
    self.now = now
    self.timeZone = timeZone
    self.intervalStyle = intervalStyle
    self.zones = zones
    self.clock = clock
    self.objectID = objectID
    self.objectName = objectName
  }

  /// The session's zone. Throws 22023 for a name that the database does not have.
  package func sessionZone() throws -> TimeZone { try zones.zone(named: timeZone) }
}

/// A scalar function, operator or cast with its types decided.
package struct ScalarFunction: Sendable {
  package enum Volatility: Sendable { case immutable, stable, volatile }
  /// Name as EXPLAIN prints it.
  package let name: String
  package let argumentTypes: [SQLType]
  package let resultType: SQLType
  package let volatility: Volatility
  /// Arguments (each `count` rows, constants as `.constant`) → result of `count` rows. Strict functions give
  /// NULL for a row with a NULL argument. Throws `VarveError` with `sqlState`.
  package let evaluate: @Sendable ([Column], _ count: Int, EvaluationContext) throws -> Column
  package init(
    name: String, argumentTypes: [SQLType], resultType: SQLType, volatility: Volatility = .immutable,
    evaluate: @escaping @Sendable ([Column], Int, EvaluationContext) throws -> Column
  ) {
    self.name = name
    self.argumentTypes = argumentTypes
    self.resultType = resultType
    self.volatility = volatility
    self.evaluate = evaluate
  }
}

/// Rows that stand together and share their group.
package struct GroupSegment: BitwiseCopyable, Sendable {
  package let start: UInt32
  package let end: UInt32
  package let group: UInt32
  /// Where the order of rows matters and their values do not decide it: of equal ranks the rows taken later stand
  /// behind.
  package let rank: UInt32

  package init(rows: Range<Int>, group: UInt32, rank: UInt32) {
    start = UInt32(rows.lowerBound)
    end = UInt32(rows.upperBound)
    self.group = group
    self.rank = rank
  }
  var rows: Range<Int> { Int(start)..<Int(end) }
}

/// The states of one aggregate over many groups. One thread.
package protocol GroupedAggregate: AnyObject {
  /// Makes states for groups `0..<count`; existing ones stay.
  func resize(to count: Int) throws
  /// Takes row i into group `groups[i]`.
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws
  /// Takes rows `range` of the arguments into one group: the fast way when a run of rows shares its group.
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws
  /// Takes each segment's rows into its group. Segments ascend and do not overlap.
  func update(_ arguments: [Column], segments: UnsafeBufferPointer<GroupSegment>) throws
  /// Takes the states of `other`, which are of the same aggregate: its group g goes into `groups[g]`.
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws
  /// A row a group.
  func result() throws -> Column
  /// About what the states hold in memory beyond some words a group: values that they keep. Asked after every batch.
  var heldByteCount: Int { get }
}

extension GroupedAggregate {
  package var heldByteCount: Int { 0 }
  package func update(_ arguments: [Column], segments: UnsafeBufferPointer<GroupSegment>) throws {
    for segment in segments { try update(arguments, rows: segment.rows, group: Int(segment.group)) }
  }
}

/// An aggregate that can take what rows come to in place of the rows.
package protocol PartialAggregate: GroupedAggregate {
  /// What it has to know of its argument.
  var neededStatistics: SummaryStatistics { get }
  /// Takes each segment's partials into its group. `column` is the argument's among the columns of the batch; nil:
  /// there is no argument.
  func take(_ partials: PartialBatch, column: Int?, segments: UnsafeBufferPointer<GroupSegment>) throws
}

/// An aggregate whose states can be kept as text and merged later, as rollups do (`StoredStateAggregate`).
package protocol StorableAggregate: GroupedAggregate {
  /// Appends the state of one group; nothing where it has taken no value.
  func encode(group: Int, to out: Buffer<UInt8>) throws
  /// Takes a state that was encoded into a group. Throws for text that is none.
  func merge(encoded text: UnsafeBufferPointer<UInt8>, into group: Int) throws
}

package struct AggregateFunction: Sendable {
  package let name: String
  package let argumentTypes: [SQLType]
  package let resultType: SQLType
  package let makeStates: @Sendable () -> any GroupedAggregate
  /// Of an ordered-set aggregate, whose last argument is what WITHIN GROUP sorts: states for a descending order.
  package let makeDescendingStates: (@Sendable () -> any GroupedAggregate)?
  package init(
    name: String, argumentTypes: [SQLType], resultType: SQLType,
    makeDescendingStates: (@Sendable () -> any GroupedAggregate)? = nil,
    makeStates: @escaping @Sendable () -> any GroupedAggregate
  ) {
    self.makeDescendingStates = makeDescendingStates
    self.name = name
    self.argumentTypes = argumentTypes
    self.resultType = resultType
    self.makeStates = makeStates
  }

  /// An ordered-set aggregate with its order turned around; nil for any other.
  package var descending: AggregateFunction? {
    makeDescendingStates.map {
      AggregateFunction(name: name, argumentTypes: argumentTypes, resultType: resultType, makeStates: $0)
    }
  }
}
