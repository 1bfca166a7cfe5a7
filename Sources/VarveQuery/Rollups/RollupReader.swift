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
    _ rollup: BoundRollup, within range: TimeRange, includesFrozen: Bool, hidesDropped: Bool = false,
    _ catalog: CatalogView
  ) throws -> RollupRegions {
    guard let state = catalog.snapshot.rollup(rollup.schema.id)?.state else { throw RollupStatement.gone(rollup) }
    return try RollupRegions(
      state, rollup.statement.grid, within: range, includesFrozen: includesFrozen,
      alsoInvalid: try invalidBelow(rollup, catalog), hidesDropped: hidesDropped)
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
    let raw = regions.raw.isEmpty ? nil : rawParts(statement.query, regions.raw)
    return finished(statement.query, merged(statement.query, union(stored, raw) ?? nothing(statement.query)))
  }

  // MARK: Pieces

  /// Keys and the stored fields of the rows of these times.
  static func storedParts(_ rollup: BoundRollup, _ ranges: [TimeRange]) -> LogicalPlan {
    let statement = rollup.statement
    let stored = StoredRollup(rollup)
    let keys = statement.keys.indices.map { key -> BoundExpression in
      key == statement.bucketKey
        ? statement.keys[key].replacingColumns { _ in .place(0, .timestamptz) } : stored.key(key)
    }
    return .project(stored.scan(ranges), keys + statement.fields.indices.map(stored.field))
  }

  /// The same made of the source's rows of these times; `keys` in place of the query's own, where they are others. With
  /// `hidesDropped` a source that is a rollup is read as by its name, else as what is made from it has to.
  static func rawParts(
    _ query: PartsQuery, _ ranges: [TimeRange], keys: [BoundExpression]? = nil, hidesDropped: Bool = false
  ) -> LogicalPlan {
    let time = BoundExpression.place(query.source.timePlace, .timestamptz)
    // What one scan reads of many ranges is not one stretch of time: what is stored lies between.
    let number: BoundExpression? =
      query.kept.needsDisjointTimes && TimeRanges.isHull(ranges) ? .call(TimeRanges.number(ranges), [time]) : nil
    // An aggregate for each range, not one over all: that of a plain scan is made from summaries.
    return TimeRanges.within(ranges) { conditions in
      rawParts(
        query, query.conditions + conditions(time), keys ?? query.keys, apartBy: number, hidesDropped: hidesDropped)
    }
  }

  /// `apartBy` is a key by which parts are made too, and which they do not have.
  private static func rawParts(
    _ query: PartsQuery, _ conditions: [BoundExpression], _ keys: [BoundExpression], apartBy number: BoundExpression?,
    hidesDropped: Bool
  ) -> LogicalPlan {
    let rows: LogicalPlan
    switch query.source {
    case .table(let table):
      var scan = SeriesScan(table: table, columns: table.sqlColumns.map(\.column))
      scan.conditions = conditions
      rows = .series(scan)
    case .rollup(let rollup):
      var scan = RollupScan(rollup)
      scan.conditions = conditions
      scan.hidesDropped = hidesDropped
      rows = .rollup(scan)
    }
    let groupKeys = keys + (number.map { [$0] } ?? [])
    var calls: [AggregateCall] = []
    let fields = query.kept.fields.map { field -> BoundExpression in
      let original = query.kept.calls[field.call]
      var call = original
      call.function = field.part.partial
      call.arguments = field.part.arguments.map { original.arguments[$0] }
      call.isDistinct = false
      let value = column(of: call, in: &calls, behind: groupKeys.count)
      return field.part.encode.map { .call($0, [value]) } ?? value
    }
    return .project(
      .aggregate(rows, keys: groupKeys, calls),
      keys.enumerated().map { .place($0.offset, $0.element.type) } + fields)
  }

  /// Of stored rows, what `merged` gives: rows are merged as they come, in order of series and time, rather than looked
  /// up one by one. `keys` and `fields` are over the columns of the stored rows.
  static func mergedStored(
    _ query: PartsQuery, _ scan: LogicalPlan, keys: [BoundExpression], fields: [BoundExpression]
  ) -> LogicalPlan {
    merged(query, scan, keys: keys) { fields[$0] }
  }

  /// One row a group: keys, then what each of the parts' merges gave, in order of the fields.
  static func merged(_ query: PartsQuery, _ rows: LogicalPlan) -> LogicalPlan {
    let keys = query.keys.enumerated().map { BoundExpression.place($0.offset, $0.element.type) }
    return merged(query, rows, keys: keys) { .place(keys.count + $0, query.kept.fields[$0].part.fieldType.sqlType) }
  }

  private static func merged(
    _ query: PartsQuery, _ rows: LogicalPlan, keys: [BoundExpression], field: (Int) -> BoundExpression
  ) -> LogicalPlan {
    var calls: [AggregateCall] = []
    var places = query.kept.fields.map { _ in BoundExpression.constant(.null, .text) }
    for (parts, fields) in query.kept.parts {
      for (part, place) in zip(parts.parts, fields) {
        let arguments = part.mergeArguments.map { field(fields[$0]) }
        places[place] = column(
          of: AggregateCall(function: part.merge, arguments: arguments), in: &calls, behind: keys.count)
      }
    }
    return .project(
      .aggregate(rows, keys: keys, calls), keys.enumerated().map { .place($0.offset, $0.element.type) } + places)
  }

  /// Keys and finished aggregates of merged rows.
  static func finished(_ query: PartsQuery, _ merged: LogicalPlan) -> LogicalPlan {
    let types = merged.types
    let width = query.keys.count
    let results = zip(query.kept.calls, query.kept.parts).map { call, kept in
      derived(kept.parts.finish, call.arguments) { .place(width + kept.fields[$0], types[width + kept.fields[$0]]) }
    }
    return .project(merged, (0..<width).map { .place($0, types[$0]) } + results)
  }

  /// Keys and fields to be stored of merged rows.
  static func restored(_ query: PartsQuery, _ merged: LogicalPlan) -> LogicalPlan {
    let types = merged.types
    let width = query.keys.count
    let fields = query.kept.fields.enumerated().map { number, field -> BoundExpression in
      let places = query.kept.parts[field.call].fields
      guard let encode = field.part.encodeMerged else { return .place(width + number, types[width + number]) }
      return derived(encode, query.kept.calls[field.call].arguments) {
        .place(width + places[$0], types[width + places[$0]])
      }
    }
    return .project(merged, (0..<width).map { .place($0, types[$0]) } + fields)
  }

  static func union(_ a: LogicalPlan?, _ b: LogicalPlan?) -> LogicalPlan? {
    guard let a, let b else { return a ?? b }
    return .setOperation(.union, isAll: true, a, b)
  }

  private static func nothing(_ query: PartsQuery) -> LogicalPlan {
    .values([], query.keys.map(\.type) + query.kept.fields.map(\.part.fieldType.sqlType))
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
}

extension RollupStatement {
  static func gone(_ rollup: BoundRollup) -> VarveError {
    SQLError.make("42P01", "rollup \"\(rollup.schema.name)\" does not exist any more", hint: "Try again.")
  }
}
