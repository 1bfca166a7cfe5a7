// (start, end) OVERLAPS (start, end): whether two spans of time share a moment. An end may be an interval behind its
// start; the two may stand in any order; a span begins at its start and ends before its end.

import VarveCompute
import VarveCore

extension Binder {
  func bindOverlaps(_ call: CallSyntax, _ level: QueryLevel, at location: Int) throws -> BoundExpression {
    let locations = call.arguments.map(\.location)
    var ends = try call.arguments.map { try bind($0, level) }
    let types = ends.map(\.type)
    for end in [1, 3] where ends[end].type == .interval {
      ends[end] = try apply(
        "+", [ends[end - 1], ends[end]], locations: [locations[end - 1], locations[end]], at: location)
    }
    guard let type = FunctionCatalog.commonType(ends.map(\.type)),
      [.timestamptz, .timestamp, .date, .time].contains(type)
    else { throw missingFunction("overlaps", types, at: location) }
    try convert(&ends, to: Array(repeating: type, count: 4), locations: locations)
    let function = ScalarFunction(
      name: "overlaps", argumentTypes: Array(repeating: type, count: 4), resultType: .bool
    ) { columns, count, _ in
      let states = Buffer<UInt8>(repeating: 2, count: count)
      for row in 0..<count {
        let places = columns.map { column in
          column.isNull(at: row) ? nil : Int64(bitPattern: ColumnBuilder.word(column.datum(at: row)))
        }
        if let first = Self.span(places[0], places[1]), let second = Self.span(places[2], places[3]),
          let shares = Self.overlaps(first, second)
        {
          states[row] = shares ? 1 : 0
        }
      }
      return Logic.column(states)
    }
    return .call(function, ends)
  }

  private typealias Span = (start: Int64, end: Int64?)

  /// nil: nothing is known of it. Of one place alone it is the start.
  private static func span(_ a: Int64?, _ b: Int64?) -> Span? {
    guard let a else { return b.map { ($0, nil) } }
    guard let b else { return (a, nil) }
    return (min(a, b), max(a, b))
  }

  private static func overlaps(_ a: Span, _ b: Span) -> Bool? {
    if a.start == b.start { return a.end == nil || b.end == nil ? nil : true }
    let (earlier, later) = a.start < b.start ? (a, b) : (b, a)
    guard let end = earlier.end else { return nil }
    if later.start < end { return true }
    return later.end == nil ? nil : false
  }
}
