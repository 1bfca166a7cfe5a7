// An aggregate kept in parts, as rollups keep it: rows to stored parts, merging by any tree, finishing. And the
// aggregate itself, to compare with.

import Testing
import VarveCore

@testable import VarveCompute

struct KeptAggregate {
  let function: AggregateFunction
  let kept: AggregateParts
  let context = Support.context()

  init(_ name: String, _ types: [SQLType]) throws {
    let found = try #require(try FunctionCatalog.aggregate(name, types), "\(name)")
    try #require(found.argumentTypes == types, "\(name)")
    function = found
    kept = try AggregateParts.of(found)
  }

  static func type(_ fieldType: FieldType) -> SQLType {
    switch fieldType {
    case .float64: .float8
    case .int64: .int8
    case .uint64: .numeric
    case .bool: .bool
    case .text: .text
    case .timestamp: .timestamptz
    }
  }

  /// Over rows given as one row of datums an argument, in group 1 of 2.
  static func run(
    _ function: AggregateFunction, _ arguments: [Column], _ count: Int, _ random: inout SeededGenerator
  ) throws -> Column {
    let states = function.makeStates()
    try states.resize(to: 2)
    switch Int.random(in: 0..<3, using: &random) {
    case 0: try states.update(arguments, rows: 0..<count, group: 1)
    case 1:
      let groups = [UInt32](repeating: 1, count: count)
      try groups.withUnsafeBufferPointer { try states.update(arguments, groups: $0) }
    default:
      // Cut, and the one's states merged into the other's.
      let other = function.makeStates()
      try other.resize(to: 1)
      let cut = Int.random(in: 0...count, using: &random)
      try states.update(arguments, rows: 0..<cut, group: 1)
      try other.update(arguments, rows: cut..<count, group: 0)
      try ([1] as [UInt32]).withUnsafeBufferPointer { try states.merge(other, groups: $0) }
    }
    let result = try states.result()
    #expect(result.type.base == function.resultType.base && result.count == 2)
    return result.slice(1..<2)
  }

  func direct(_ arguments: [Column], _ random: inout SeededGenerator) throws -> Datum {
    try Self.run(function, arguments, arguments.first?.count ?? 0, &random).datum(at: 0)
  }

  /// What is stored of some rows.
  func store(_ arguments: [Column], rows: Int, _ random: inout SeededGenerator) throws -> [Datum] {
    try kept.parts.map { part in
      #expect(part.arguments.count == part.partial.argumentTypes.count)
      let value = try Self.run(part.partial, part.arguments.map { arguments[$0] }, rows, &random)
      return try checked(try part.encode?.evaluate([value], 1, context) ?? value, part)
    }
  }

  private func checked(_ value: Column, _ part: AggregateParts.Part) throws -> Datum {
    #expect(value.type.base == Self.type(part.fieldType), "\(part.name) of \(function.name)")
    return value.datum(at: 0)
  }

  private func merged(_ rows: [[Datum]], _ random: inout SeededGenerator) throws -> [Column] {
    let columns = try kept.parts.indices.map { place in
      try Column(type: Self.type(kept.parts[place].fieldType), data: rows.map { $0[place] })
    }
    return try kept.parts.map { part in
      let arguments = part.mergeArguments.map { columns[$0] }
      #expect(arguments.map(\.type.base) == part.merge.argumentTypes.map(\.base), "\(part.name) of \(function.name)")
      return try Self.run(part.merge, arguments, rows.count, &random)
    }
  }

  private func value(_ derived: AggregateParts.Derived, _ parts: [Column], _ arguments: [Datum]) throws -> Column {
    switch derived {
    case .part(let place): return parts[place]
    case .argument(let place):
      #expect(kept.constants.contains(place))
      return .constant(arguments[place], type: function.argumentTypes[place], count: 1)
    case .call(let function, let operands):
      let columns = try operands.map { try value($0, parts, arguments) }
      #expect(columns.map(\.type.base) == function.argumentTypes.map(\.base), "\(function.name)")
      return try function.evaluate(columns, 1, context)
    }
  }

  func merge(_ rows: [[Datum]], _ random: inout SeededGenerator) throws -> [Datum] {
    let parts = try merged(rows, &random)
    return try zip(kept.parts, parts).map { part, merged in
      try checked(try part.encodeMerged.map { try value($0, parts, []) } ?? merged, part)
    }
  }

  func finish(_ rows: [[Datum]], constants: [Datum] = [], _ random: inout SeededGenerator) throws -> Datum {
    let result = try value(kept.finish, try merged(rows, &random), constants)
    #expect(result.type.base == function.resultType.base)
    return result.datum(at: 0)
  }

  /// Stored pieces, merged by a tree made by chance; where times must be disjoint, neighbours with neighbours.
  func finishByAnyTree(
    _ pieces: [[Datum]], constants: [Datum] = [], _ random: inout SeededGenerator
  ) throws -> Datum {
    var rows = pieces
    while rows.count > 1, Int.random(in: 0..<4, using: &random) > 0 {
      if !kept.needsDisjointTimes { rows.shuffle(using: &random) }
      let start = Int.random(in: 0..<rows.count, using: &random)
      let taken = start..<Int.random(in: (start + 1)...rows.count, using: &random)
      rows.replaceSubrange(taken, with: [try merge(rows[taken].shuffled(using: &random), &random)])
    }
    return try finish(rows.shuffled(using: &random), constants: constants, &random)
  }

  /// Rows given as one array of datums an argument, cut into pieces by chance (or at `cuts`), each stored.
  func pieces(
    _ data: [[Datum]], cuts: [Int]? = nil, _ random: inout SeededGenerator
  ) throws -> [[Datum]] {
    let count = data[0].count
    let cuts =
      cuts
      ?? (0..<Int.random(in: 0...6, using: &random)).map { _ in Int.random(in: 0...count, using: &random) }.sorted()
    return try zip([0] + cuts, cuts + [count]).map { start, end in
      let columns = try zip(function.argumentTypes, data).map {
        try Column(type: $0, data: Array($1[start..<end]))
      }
      return try store(columns, rows: end - start, &random)
    }
  }
}
