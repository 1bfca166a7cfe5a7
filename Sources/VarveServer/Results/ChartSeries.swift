// A result as series to draw: rows of time (or a number) and values.
//
// The first column that is a time, else the first number, is the horizontal axis. Each other number is a series of its
// own; where there are texts, one for each text. NULL, NaN and infinities are gaps.

import VarveCompute
import VarveCore
import VarveWire

package struct ChartPoint: Sendable, Equatable {
  /// Nanoseconds since 1970, or the number.
  package var x: Double
  package var y: Double
  package init(x: Double, y: Double) {
    self.x = x
    self.y = y
  }
}

package struct ChartSeries: Sendable, Equatable {
  package var name: String
  package var points: [ChartPoint]
  package init(name: String, points: [ChartPoint]) {
    self.name = name
    self.points = points
  }
}

package final class ChartSink: ResultSink {
  /// More would take long to fetch, and shows no more on a screen.
  package static let pointLimit = 5_000_000
  package static let seriesLimit = 1000

  package private(set) var series: [ChartSeries] = []
  package private(set) var isTime = false
  private var places: [String: Int] = [:]
  private var columns: [ResultColumn] = []
  private var axis = 0
  private var values: [Int] = []
  private var labels: [Int] = []
  private var pointCount = 0
  private let zone = EvaluationContext(now: 0)
  private let onNotice: (PostgresError) -> Void

  package init(onNotice: @escaping (PostgresError) -> Void = { _ in }) { self.onNotice = onNotice }

  package func begin(_ columns: [ResultColumn]) throws {
    self.columns = columns
    series = []
    places = [:]
    pointCount = 0
    let times = columns.indices.filter { Self.timeType(columns[$0]) != nil }
    let numbers = columns.indices.filter { columns[$0].isNumber }
    guard let axis = times.first ?? (numbers.count > 1 ? numbers.first : nil), numbers.contains(where: { $0 != axis })
    else {
      throw VarveError(
        .invalidArgument, "a chart needs a column of times and one of numbers",
        hint:
          "such as SELECT time_bucket('1 minute', time) AS minute, host, avg(usage) FROM cpu GROUP BY 1, 2 ORDER BY 1")
    }
    self.axis = axis
    isTime = !times.isEmpty
    values = numbers.filter { $0 != axis }
    labels = columns.indices.filter { !columns[$0].isNumber && !times.contains($0) }
  }

  private static func timeType(_ column: ResultColumn) -> SQLType? {
    switch column.typeOID {
    case SQLType.timestamptz.oid: .timestamptz
    case SQLType.timestamp.oid: .timestamp
    case SQLType.date.oid: .date
    default: nil
    }
  }

  package func row(_ row: ResultRow) throws {
    guard let cell = row[axis], let x = try place(cell), x.isFinite else { return }
    let label = labels.map { row[$0].map { String(decoding: $0, as: UTF8.self) } ?? "NULL" }.joined(separator: " ")
    for value in values {
      let name = Self.name(label, values.count == 1 && !label.isEmpty ? "" : columns[value].name)
      guard let cell = row[value], let y = Double(String(decoding: cell, as: UTF8.self)), y.isFinite else { continue }
      pointCount += 1
      guard pointCount <= Self.pointLimit else {
        throw VarveError(
          .limitExceeded, "a chart takes at most \(Self.pointLimit) points", hint: "group by a time_bucket first")
      }
      let place = try index(of: name)
      series[place].points.append(ChartPoint(x: x, y: y))
    }
  }

  private func place(_ cell: UnsafeBufferPointer<UInt8>) throws -> Double? {
    guard let type = Self.timeType(columns[axis]) else { return Double(String(decoding: cell, as: UTF8.self)) }
    switch try TypeText.parse(bytes: cell, as: type, context: zone) {
    case .timestamp(let time) where time != .max && time != .min: return Double(time)
    case .date(let days): return Double(days) * 86_400e9
    default: return nil
    }
  }

  private static func name(_ label: String, _ column: String) -> String {
    label.isEmpty || column.isEmpty ? label + column : "\(label) \(column)"
  }

  private func index(of name: String) throws -> Int {
    if let index = places[name] { return index }
    guard series.count < Self.seriesLimit else {
      throw VarveError(
        .limitExceeded, "a chart takes at most \(Self.seriesLimit) series", hint: "select fewer, or group them")
    }
    places[name] = series.count
    series.append(ChartSeries(name: name, points: []))
    return series.count - 1
  }

  package func end(tag: String) {}
  package func notice(_ notice: PostgresError) { onNotice(notice) }
}
