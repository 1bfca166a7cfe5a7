// The plan that answers from a rollup: its stored parts, and parts made of the source's rows where those have to answer,
// merged by group and finished. Built for one snapshot.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

enum RollupReader {
  /// Which rows answer, with what is invalid of the rollups that the rollup is made from.
  static func regions(
    _ rollup: BoundRollup, within range: TimeRange, includesFrozen: Bool, _ catalog: CatalogView
  ) throws -> RollupRegions {
    guard let state = catalog.snapshot.rollup(rollup.schema.id)?.state else { throw RollupStatement.gone(rollup) }
    return try RollupRegions(
      state, rollup.statement.grid, within: range, includesFrozen: includesFrozen,
      alsoInvalid: try invalidBelow(rollup, catalog))
  }

  /// Ranges of which the sources, being rollups themselves, would not give what their stored rows say.
  private static func invalidBelow(_ rollup: BoundRollup, _ catalog: CatalogView) throws -> [InvalidRange] {
    guard case .rollup(let source) = rollup.statement.source else { return [] }
    guard let state = catalog.snapshot.rollup(source.schema.id)?.state else { throw RollupStatement.gone(source) }
    var found = state.invalid + (try invalidBelow(source, catalog))
    if state.watermark < .max { found.append(InvalidRange(lower: state.watermark, upper: .max, sequence: .zero)) }
    return found.sorted { $0.lower < $1.lower }
  }

  /// Keys and finished aggregates by group of the statement.
  static func plan(_ rollup: BoundRollup, _ regions: RollupRegions) -> LogicalPlan {
    let statement = rollup.statement
    let stored = regions.stored.isEmpty ? nil : storedParts(rollup, regions.stored)
    let raw = regions.raw.isEmpty ? nil : rawParts(statement, regions.raw, key: statement.keys[statement.bucketKey])
    return finished(statement, merged(statement, union(stored, raw) ?? nothing(statement)))
  }

  // MARK: Pieces

  /// Keys and the stored fields of the rows of these times.
  static func storedParts(_ rollup: BoundRollup, _ ranges: [TimeRange]) -> LogicalPlan {
    let (statement, schema) = (rollup.statement, rollup.schema)
    let all = schema.sqlColumns
    func place(_ name: String) -> Int {
      guard let place = all.firstIndex(where: { $0.name.isSameName(as: name) }) else {
        preconditionFailure("a rollup's table has the columns of its statement")
      }
      return place
    }
    let scans = within(ranges) { conditions in
      var scan = SeriesScan(table: schema, columns: all.map(\.column))
      scan.conditions = conditions(.place(0, .timestamptz))
      return .series(scan)
    }
    let keys = statement.keys.indices.map { key -> BoundExpression in
      if key == statement.bucketKey {
        return statement.keys[key].replacingColumns { _ in .place(0, .timestamptz) }
      }
      return .place(place(statement.keyNames[key]), .text)
    }
    let fields = statement.fields.map { BoundExpression.place(place($0.name), $0.part.fieldType.sqlType) }
    return .project(scans, keys + fields)
  }

  /// The same made of the source's rows of these times; `key` is what the bucket's key is to be, over its columns.
  static func rawParts(_ statement: RollupStatement, _ ranges: [TimeRange], key: BoundExpression) -> LogicalPlan {
    // An aggregate for each range, not one over all: that of a plain scan is made from summaries.
    within(ranges) { conditions in
      rawParts(statement, statement.conditions + conditions(.place(statement.source.timePlace, .timestamptz)), key)
    }
  }

  private static func rawParts(
    _ statement: RollupStatement, _ conditions: [BoundExpression], _ key: BoundExpression
  ) -> LogicalPlan {
    let rows: LogicalPlan
    switch statement.source {
    case .table(let table):
      var scan = SeriesScan(table: table, columns: table.sqlColumns.map(\.column))
      scan.conditions = conditions
      rows = .series(scan)
    case .rollup(let rollup):
      var scan = RollupScan(rollup)
      scan.conditions = conditions
      rows = .rollup(scan)
    }
    var keys = statement.keys
    keys[statement.bucketKey] = key
    var calls: [AggregateCall] = []
    let fields = statement.fields.map { field -> BoundExpression in
      let original = statement.calls[field.call]
      var call = original
      call.function = field.part.partial
      call.arguments = field.part.arguments.map { original.arguments[$0] }
      call.isDistinct = false
      let value = column(of: call, in: &calls, behind: keys.count)
      return field.part.encode.map { .call($0, [value]) } ?? value
    }
    return .project(
      .aggregate(rows, keys: keys, calls),
      keys.enumerated().map { .place($0.offset, $0.element.type) } + fields)
  }

  /// One row a group: keys, then what each of the parts' merges gave, in order of the fields.
  static func merged(_ statement: RollupStatement, _ rows: LogicalPlan) -> LogicalPlan {
    let keys = statement.keys.enumerated().map { BoundExpression.place($0.offset, $0.element.type) }
    var calls: [AggregateCall] = []
    var places = statement.fields.map { _ in BoundExpression.constant(.null, .text) }
    for (parts, fields) in statement.parts {
      for (part, field) in zip(parts.parts, fields) {
        let arguments = part.mergeArguments.map { argument -> BoundExpression in
          let field = fields[argument]
          return .place(keys.count + field, statement.fields[field].part.fieldType.sqlType)
        }
        places[field] = column(
          of: AggregateCall(function: part.merge, arguments: arguments), in: &calls, behind: keys.count)
      }
    }
    return .project(.aggregate(rows, keys: keys, calls), keys + places)
  }

  /// Keys and finished aggregates of merged rows.
  static func finished(_ statement: RollupStatement, _ merged: LogicalPlan) -> LogicalPlan {
    let types = merged.types
    let keys = statement.keys.indices.map { BoundExpression.place($0, types[$0]) }
    return .project(
      merged,
      keys
        + zip(statement.calls, statement.parts).map { call, kept in
          derived(kept.parts.finish, call.arguments) {
            .place(keys.count + kept.fields[$0], types[keys.count + kept.fields[$0]])
          }
        })
  }

  /// Keys and fields to be stored of merged rows.
  static func restored(_ statement: RollupStatement, _ merged: LogicalPlan) -> LogicalPlan {
    let types = merged.types
    let keys = statement.keys.indices.map { BoundExpression.place($0, types[$0]) }
    let fields = statement.fields.enumerated().map { number, field -> BoundExpression in
      let places = statement.parts[field.call].fields
      func part(_ index: Int) -> BoundExpression {
        .place(keys.count + places[index], types[keys.count + places[index]])
      }
      guard let encode = field.part.encodeMerged else { return .place(keys.count + number, types[keys.count + number]) }
      return derived(encode, statement.calls[field.call].arguments, part)
    }
    return .project(merged, keys + fields)
  }

  static func union(_ a: LogicalPlan?, _ b: LogicalPlan?) -> LogicalPlan? {
    guard let a, let b else { return a ?? b }
    return .setOperation(.union, isAll: true, a, b)
  }

  private static func nothing(_ statement: RollupStatement) -> LogicalPlan {
    .values([], statement.keys.map(\.type) + statement.fields.map(\.part.fieldType.sqlType))
  }

  static func derived(
    _ value: AggregateParts.Derived, _ arguments: [BoundExpression], _ part: (Int) -> BoundExpression
  ) -> BoundExpression {
    switch value {
    case .part(let index): part(index)
    case .argument(let place): arguments[place]
    case .call(let function, let values): .call(function, values.map { derived($0, arguments, part) })
    }
  }

  /// The column of a call among others, each of which is computed once.
  private static func column(of call: AggregateCall, in calls: inout [AggregateCall], behind width: Int)
    -> BoundExpression
  {
    let place =
      calls.firstIndex { BoundExpression.aggregate($0).isSame(as: .aggregate(call)) } ?? calls.count
    if place == calls.count { calls.append(call) }
    return .place(width + place, call.function.resultType)
  }

  // MARK: Ranges of time

  /// Few ranges are a scan each; of many the hull is scanned, and a condition tells what lies between them.
  private static func within(
    _ ranges: [TimeRange], _ scan: ((BoundExpression) -> [BoundExpression]) -> LogicalPlan
  ) -> LogicalPlan {
    func bounds(_ range: TimeRange) -> (BoundExpression) -> [BoundExpression] {
      { time in
        [(">=", range.lower), ("<=", range.upper)].filter { $0.1 != .min && $0.1 != .max }.map {
          .call(comparison($0.0), [time, .constant(.timestamp($0.1), .timestamptz)])
        }
      }
    }
    guard ranges.count > scanCount, let first = ranges.first, let last = ranges.last else {
      let scans = ranges.map { scan(bounds($0)) }
      guard let first = scans.first else { preconditionFailure("there is a range to read") }
      return scans.dropFirst().reduce(first) { .setOperation(.union, isAll: true, $0, $1) }
    }
    let hull = TimeRange(lower: first.lower, upper: last.upper)
    return scan { time in bounds(hull)(time) + [.call(membership(ranges), [time])] }
  }

  private static let scanCount = 8

  private static func comparison(_ symbol: String) -> ScalarFunction {
    do {
      guard let function = try FunctionCatalog.operator(symbol, [.timestamptz, .timestamptz]) else {
        preconditionFailure("times are compared")
      }
      return function
    } catch {
      preconditionFailure("one operator compares times: \(error)")
    }
  }

  /// Whether a time lies in one of the ranges, which ascend.
  private static func membership(_ ranges: [TimeRange]) -> ScalarFunction {
    ScalarFunction(name: "within_\(ranges.count)_ranges", argumentTypes: [.timestamptz], resultType: .bool) {
      columns, count, _ in
      let words = columns[0].wordBuffer
      let result = Buffer<UInt64>(capacity: count)
      for row in 0..<count {
        let time = Int64(bitPattern: words[row])
        var (low, high) = (0, ranges.count)
        while low < high {
          let middle = (low + high) / 2
          if ranges[middle].upper < time { low = middle + 1 } else { high = middle }
        }
        result.append(low < ranges.count && ranges[low].lower <= time ? 1 : 0)
      }
      return Column(type: .bool, count: count, storage: .words(result))
    }
  }
}

extension RollupStatement {
  static func gone(_ rollup: BoundRollup) -> VarveError {
    SQLError.make("42P01", "rollup \"\(rollup.schema.name)\" does not exist any more", hint: "Try again.")
  }
}
