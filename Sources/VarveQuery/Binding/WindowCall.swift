// A window function's call with names looked up and types decided. The rows that a call sees are those of its
// partition in its order; a frame says which of them an aggregate or first_value and its kin look at.

import VarveCompute
import VarveCore

enum WindowFunction: Sendable {
  case rowNumber, rank, denseRank, percentRank, cumeDist, ntile, lag, lead, firstValue, lastValue, nthValue
  case aggregate(AggregateFunction)

  static let names: [String: WindowFunction] = [
    "row_number": .rowNumber, "rank": .rank, "dense_rank": .denseRank, "percent_rank": .percentRank,
    "cume_dist": .cumeDist, "ntile": .ntile, "lag": .lag, "lead": .lead, "first_value": .firstValue,
    "last_value": .lastValue, "nth_value": .nthValue,
  ]

  /// Which makes it the same function as another.
  var name: String {
    if case .aggregate(let function) = self {
      return "\(function.name)(\(function.argumentTypes.map(\.name).joined(separator: ", ")))"
    }
    return "\(self)"
  }
}

struct WindowFrame: Sendable {
  typealias Unit = FrameSyntax.Unit
  typealias Exclusion = FrameSyntax.Exclusion

  indirect enum Bound: Sendable {
    case unboundedPreceding, unboundedFollowing, currentRow
    /// Rows or groups as bigint; with RANGE what is taken from the key.
    case preceding(BoundExpression)
    case following(BoundExpression)

    var offset: BoundExpression? {
      switch self {
      case .preceding(let offset), .following(let offset): offset
      default: nil
      }
    }
    func mapOffset(_ map: (BoundExpression) throws -> BoundExpression) rethrows -> Bound {
      switch self {
      case .preceding(let offset): .preceding(try map(offset))
      case .following(let offset): .following(try map(offset))
      default: self
      }
    }
    var kind: String {
      switch self {
      case .unboundedPreceding: "UNBOUNDED PRECEDING"
      case .unboundedFollowing: "UNBOUNDED FOLLOWING"
      case .currentRow: "CURRENT ROW"
      case .preceding: "PRECEDING"
      case .following: "FOLLOWING"
      }
    }
  }

  /// What RANGE measures its offsets by.
  struct RangeKey: Sendable {
    /// The key of ORDER BY, a date as timestamp.
    var expression: BoundExpression
    /// key - offset and key + offset; nil for integers and doubles, which are computed without overflow.
    var subtract: ScalarFunction?
    var add: ScalarFunction?
  }

  var unit = Unit.range
  var start = Bound.unboundedPreceding
  var end = Bound.currentRow
  var exclusion = Exclusion.none
  var rangeKey: RangeKey?

  func isSame(as other: WindowFrame) -> Bool {
    func isSame(_ a: Bound, _ b: Bound) -> Bool {
      guard a.kind == b.kind else { return false }
      guard let x = a.offset, let y = b.offset else { return true }
      return x.isSame(as: y)
    }
    return unit == other.unit && exclusion == other.exclusion && isSame(start, other.start) && isSame(end, other.end)
  }
}

/// What decides the order of rows that a call sees. Calls that share it are computed together.
struct WindowOrder: Sendable {
  var partition: [BoundExpression] = []
  var orderBy: [BoundSort] = []

  func isSame(as other: WindowOrder) -> Bool {
    partition.count == other.partition.count && orderBy.count == other.orderBy.count
      && zip(partition, other.partition).allSatisfy { $0.isSame(as: $1) }
      && zip(orderBy, other.orderBy).allSatisfy {
        $0.expression.isSame(as: $1.expression) && $0.isDescending == $1.isDescending
          && $0.nullsFirst == $1.nullsFirst
      }
  }
}

struct WindowCall: Sendable {
  var function: WindowFunction
  var arguments: [BoundExpression]
  var type: SQLType
  var filter: BoundExpression?
  var order = WindowOrder()
  var frame = WindowFrame()
  var location = -1

  var children: [BoundExpression] {
    arguments + (filter.map { [$0] } ?? []) + order.partition + order.orderBy.map(\.expression)
      + (frame.rangeKey.map { [$0.expression] } ?? []) + [frame.start.offset, frame.end.offset].compactMap { $0 }
  }

  func mapChildren(_ map: (BoundExpression) throws -> BoundExpression) rethrows -> WindowCall {
    var call = self
    call.arguments = try arguments.map(map)
    call.filter = try filter.map(map)
    call.order.partition = try order.partition.map(map)
    call.order.orderBy = try order.orderBy.map { try $0.mapExpression(map) }
    call.frame.rangeKey?.expression = try frame.rangeKey.map { try map($0.expression) } ?? .constant(.null, .unknown)
    call.frame.start = try frame.start.mapOffset(map)
    call.frame.end = try frame.end.mapOffset(map)
    return call
  }

  func isSame(as other: WindowCall) -> Bool {
    function.name == other.function.name && (filter == nil) == (other.filter == nil)
      && order.isSame(as: other.order) && frame.isSame(as: other.frame)
  }
}
