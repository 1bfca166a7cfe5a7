// Aggregates whose state is a value a group: the loops that feed them, written once. A state says how a row comes in
// and how two states become one.

import VarveCore

/// One group of an aggregate over one or two arguments held in words.
protocol WordState {
  /// What is decided before the first row: which result, which argument is which.
  associatedtype Settings: Sendable
  init(_ settings: Settings)
  /// A row without NULLs. `second` is 0 where there is one argument.
  mutating func add(_ first: UInt64, _ second: UInt64) throws
  mutating func merge(_ other: Self) throws
  /// Appends the result, or NULL.
  func finish(_ settings: Settings, into builder: inout ColumnBuilder) throws
  /// Memory that each row taken needs for good.
  static var byteCountPerRow: Int { get }
}
extension WordState {
  static var byteCountPerRow: Int { 0 }
}

final class WordStates<State: WordState>: GroupedAggregate {
  private let type: SQLType
  private let settings: State.Settings
  /// Arguments that are the state's.
  private let positions: [Int]
  private(set) var states: [State] = []
  private var rowCount = 0

  init(_ type: SQLType, _ settings: State.Settings, positions: [Int]) {
    precondition(positions.count == 1 || positions.count == 2, "one or two arguments")
    self.type = type
    self.settings = settings
    self.positions = positions
  }

  func resize(to count: Int) { while states.count < count { states.append(State(settings)) } }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    let inputs = positions.map { AggregateInput(arguments[$0]).column }
    try take(inputs, 0..<groups.count) { Int(groups[$0]) }
  }

  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    let inputs = positions.map { AggregateInput(arguments[$0]).column }
    try take(inputs, range) { _ in group }
  }

  @inline(__always)
  private func take(_ inputs: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) throws {
    let first = inputs[0].wordBuffer
    let second = inputs.count > 1 ? inputs[1].wordBuffer : nil
    let nulls = Evaluation.nulls(inputs[0], inputs[inputs.count - 1])
    defer { withExtendedLifetime((first, second, nulls)) {} }
    rowCount += rows.count
    let (x, y, missing) = (first.base, second?.base, nulls?.base)
    try states.withUnsafeMutableBufferPointer { states in
      for row in rows where missing?[row] ?? 0 == 0 { try states[group(row)].add(x[row], y?[row] ?? 0) }
    }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? WordStates<State> else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { try states[Int(group)].merge(other.states[i]) }
    rowCount += other.rowCount
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(type, capacity: states.count)
    for state in states { try state.finish(settings, into: &builder) }
    return builder.finish()
  }

  var heldByteCount: Int { states.count * MemoryLayout<State>.stride + rowCount * State.byteCountPerRow }
}

/// A number that comes with every row and must be the same in all of them: the fraction of a percentile, the number
/// of points to keep. Which value a group would go by is otherwise nobody's to say.
struct DirectArgument: Equatable {
  private(set) var value: Datum?

  mutating func take(_ column: Column, _ row: Int, _ what: StaticString) throws {
    let datum = column.datum(at: row)
    guard let known = value else {
      value = datum
      return
    }
    guard known.isIdentical(to: datum) else {
      throw SQLError.make("22023", "\(what) must be the same for all rows")
    }
  }

  mutating func merge(_ other: DirectArgument, _ what: StaticString) throws {
    guard let theirs = other.value else { return }
    guard let known = value else {
      value = theirs
      return
    }
    guard known.isIdentical(to: theirs) else {
      throw SQLError.make("22023", "\(what) must be the same for all rows")
    }
  }
}
