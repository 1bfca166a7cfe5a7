// What EXPLAIN expects of a node: what it costs, how many rows it gives, how wide they are, and what is known of their
// columns, from which the nodes above it tell how many groups there are.

import VarveCompute

struct PlanEstimate {
  /// Until the first row, and until the last; in units of `CostModel`.
  let startup: Double
  let total: Double
  /// Whole, and none only where it is known that there are none.
  let rows: Double
  /// One for each that the node delivers.
  let columns: [ColumnEstimate]

  /// Beyond this nobody counts.
  private static let limit = 1e15

  init(startup: Double, total: Double, rows: Double, columns: [ColumnEstimate]) {
    self.startup = min(startup, Self.limit)
    self.total = min(max(startup, total), Self.limit)
    self.rows = rows <= 0 ? 0 : min(max(1, rows.rounded()), Self.limit)
    self.columns = columns
  }

  /// Of a node that hands on what it is given, at some cost a row.
  func passedOn(rows: Double? = nil, perRow: Double = 0, columns: [ColumnEstimate]? = nil) -> PlanEstimate {
    PlanEstimate(
      startup: startup, total: total + self.rows * perRow, rows: rows ?? self.rows, columns: columns ?? self.columns)
  }

  /// Of a node that takes all in before it gives anything.
  func collected(cost: Double, rows: Double, columns: [ColumnEstimate]) -> PlanEstimate {
    let startup = total + cost
    return PlanEstimate(startup: startup, total: startup + rows * CostModel.row, rows: rows, columns: columns)
  }

  /// Of a node that hands on these rows, and stops its input behind them.
  func stopped(_ window: Range<Double>) -> PlanEstimate {
    func cost(_ wanted: Double) -> Double {
      rows == 0 ? total : startup + (total - startup) * min(1, wanted / rows)
    }
    return PlanEstimate(
      startup: cost(window.lowerBound), total: cost(window.upperBound), rows: count(window), columns: columns)
  }

  /// Of a node that hands on these rows of those that it has.
  func kept(_ window: Range<Double>) -> PlanEstimate {
    PlanEstimate(startup: startup, total: total, rows: count(window), columns: columns)
  }

  private func count(_ window: Range<Double>) -> Double {
    rows == 0 ? 0 : max(1, min(rows, window.upperBound) - window.lowerBound)
  }

  /// With what else is done before the first row, and for all rows.
  func adding(startup more: Double, total most: Double) -> PlanEstimate {
    PlanEstimate(startup: startup + more, total: total + most, rows: rows, columns: columns)
  }

  static func width(of types: [SQLType]) -> Int { types.reduce(0) { $0 + $1.averageWidth } }
}

/// What is known of the values of a column.
struct ColumnEstimate {
  /// How many different ones there are, at most; nil: nobody knows.
  var distinct: Double?
  /// Of times: nanoseconds from the first to the last.
  var span: Double?
  /// Of what follows from a scan's series.
  var series: SeriesEstimate?

  static let unknown = ColumnEstimate()
  static let constant = ColumnEstimate(distinct: 1)
  static func unknown(_ types: [SQLType]) -> [ColumnEstimate] { types.map(ColumnEstimate.init) }

  init(distinct: Double? = nil, span: Double? = nil, series: SeriesEstimate? = nil) {
    self.distinct = distinct
    self.span = span
    self.series = series
  }
  init(_ type: SQLType) { self.init(distinct: type == .bool ? 2 : nil) }

  /// As PostgreSQL takes it where it knows nothing.
  static let defaultDistinct = 200.0

  func distinct(among rows: Double) -> Double { max(1, min(distinct ?? Self.defaultDistinct, rows)) }

  /// Groups by all of these, of so many rows. Tags of one scan have no more combinations than it has series. Of several
  /// columns of which nobody knows anything, PostgreSQL takes a group to have ten rows.
  static func groups(_ keys: [ColumnEstimate], among rows: Double) -> Double {
    var product = 1.0
    var unknown: [Double] = []
    var tags: [ObjectIdentifier: (combinations: Double, series: Double)] = [:]
    for key in keys {
      let distinct = key.distinct(among: rows)
      if let series = key.series {
        let combinations = (tags[series.scan]?.combinations ?? 1) * distinct
        tags[series.scan] = (min(combinations, max(1, series.count)), series.count)
      } else {
        product *= distinct
        if key.distinct == nil { unknown.append(distinct) }
      }
    }
    for scan in tags.values { product *= scan.combinations }
    let most = unknown.count > 1 ? max(rows / 10, unknown.max() ?? 1) : rows
    return max(1, min(product, most))
  }
}

/// The series of a scan.
struct SeriesEstimate {
  var scan: ObjectIdentifier
  var count: Double
}

extension SQLType {
  /// Bytes of a value on average, as PostgreSQL takes them where it has no statistics.
  var averageWidth: Int {
    if typlen > 0 { return Int(typlen) }
    guard case .numeric(let precision?, _) = self else { return Self.textWidth }
    // PostgreSQL keeps four decimal digits in two bytes, behind a head of eight.
    let greatest = 8 + (precision + 6) / 4 * 2
    return greatest <= Self.textWidth ? greatest : Self.textWidth + (greatest - Self.textWidth) / 2
  }

  private static let textWidth = 32
}
