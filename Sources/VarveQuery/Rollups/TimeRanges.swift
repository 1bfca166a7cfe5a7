// Plans over rows of several ranges of time.

import VarveCompute
import VarveCore

enum TimeRanges {
  /// Few ranges are a scan each; of many the hull is scanned, and a condition tells what lies between them.
  static func within(
    _ ranges: [TimeRange], _ scan: ((BoundExpression) -> [BoundExpression]) -> LogicalPlan
  ) -> LogicalPlan {
    func bounds(_ range: TimeRange) -> (BoundExpression) -> [BoundExpression] {
      { time in
        [(">=", range.lower), ("<=", range.upper)].filter { $0.1 != .min && $0.1 != .max }.map {
          .call(comparison($0.0), [time, .constant(.timestamp($0.1), .timestamptz)])
        }
      }
    }
    guard isHull(ranges), let first = ranges.first, let last = ranges.last else {
      let scans = ranges.map { scan(bounds($0)) }
      guard let first = scans.first else { preconditionFailure("there is a range to read") }
      return scans.dropFirst().reduce(first) { .setOperation(.union, isAll: true, $0, $1) }
    }
    let hull = TimeRange(lower: first.lower, upper: last.upper)
    return scan { time in bounds(hull)(time) + [.call(membership(ranges), [time])] }
  }

  /// Whether one scan reads them all.
  static func isHull(_ ranges: [TimeRange]) -> Bool { ranges.count > scanCount }

  private static let scanCount = 8

  static func comparison(_ symbol: String) -> ScalarFunction {
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
    search("within", ranges, .bool) { place, time in
      place < ranges.count && ranges[place].lower <= time ? 1 : 0
    }
  }

  /// Which of the ranges a time lies in that lies in one of them.
  static func number(_ ranges: [TimeRange]) -> ScalarFunction {
    search("number_within", ranges, .int8) { place, _ in UInt64(place) }
  }

  /// Of each time, and the place of the first range that does not end before it.
  private static func search(
    _ name: String, _ ranges: [TimeRange], _ type: SQLType, _ result: @escaping @Sendable (Int, Int64) -> UInt64
  ) -> ScalarFunction {
    ScalarFunction(name: "\(name)(\(ranges))", argumentTypes: [.timestamptz], resultType: type) { columns, count, _ in
      let words = columns[0].wordBuffer
      let found = Buffer<UInt64>(capacity: count)
      for row in 0..<count {
        let time = Int64(bitPattern: words[row])
        var (low, high) = (0, ranges.count)
        while low < high {
          let middle = (low + high) / 2
          if ranges[middle].upper < time { low = middle + 1 } else { high = middle }
        }
        found.append(result(low, time))
      }
      return Column(type: type, count: count, storage: .words(found))
    }
  }
}
