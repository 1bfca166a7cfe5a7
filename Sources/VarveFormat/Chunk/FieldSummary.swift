// One field's statistics, a bucket a place, while rows come in.

import VarveCore

struct FieldSummary: Sendable {
  let id: ColumnID
  let type: FieldType
  private let counts = Buffer<UInt64>()
  private let nanCounts = Buffer<UInt64>()
  private let integerSums = Buffer<Int128>()
  private let doubleSums = Buffer<UInt64>()
  private let minima = Buffer<UInt64>()
  private let maxima = Buffer<UInt64>()
  private let firsts = Buffer<UInt64>()
  private let lasts = Buffer<UInt64>()
  /// Values of rows where not all have one.
  private let dense = Buffer<UInt64>()
  /// Of the last place.
  private var sum = DecimalSum()

  init(_ id: ColumnID, _ type: FieldType) {
    self.id = id
    self.type = type
  }

  /// Segments come in order of their places; the first may go on in the last place of the call before.
  mutating func add(_ column: FieldColumn, _ segments: [SummaryBuilder.Segment]) {
    guard let last = segments.last else { return }
    let before = counts.count
    pad(to: last.place + 1)
    var open = before - 1
    for segment in segments {
      if segment.place != open { sum = DecimalSum() }
      open = segment.place
      let values = values(column, segment.rows)
      if values.count > 0 { take(values, segment.place) }
    }
  }

  /// Places of buckets without a value.
  private func pad(to count: Int) {
    let more = count - counts.count
    guard more > 0 else { return }
    for buffer in [counts, nanCounts, doubleSums, minima, maxima, firsts, lasts] {
      buffer.append(repeating: 0, count: more)
    }
    integerSums.append(repeating: 0, count: more)
  }

  /// The words of rows that have a value; valid until the next call.
  private func values(_ column: FieldColumn, _ rows: Range<Int>) -> UnsafeBufferPointer<UInt64> {
    guard let states = column.states else {
      return UnsafeBufferPointer(start: column.words.base + rows.lowerBound, count: rows.count)
    }
    dense.count = 0
    dense.reserve(rows.count)
    var count = 0
    for row in rows {
      dense.base[count] = column.words.base[row]
      count += states.base[row] == CellState.value.rawValue ? 1 : 0
    }
    dense.count = count
    return dense.span
  }

  private mutating func take(_ values: UnsafeBufferPointer<UInt64>, _ place: Int) {
    let isFirst = counts.base[place] == 0
    counts.base[place] += UInt64(values.count)
    guard type != .text else { return }
    if isFirst { firsts.base[place] = values[0] }
    lasts.base[place] = values[values.count - 1]
    if type == .float64 {
      takeDoubles(values, place, isFirst: isFirst)
      return
    }
    let zone = ZoneMap(type: type, values: values, nullCount: 0)
    integerSums.base[place] += zone.integerSum
    if isFirst || isLess(zone.minimum, minima.base[place]) { minima.base[place] = zone.minimum }
    if isFirst || isLess(maxima.base[place], zone.maximum) { maxima.base[place] = zone.maximum }
  }

  private func isLess(_ a: UInt64, _ b: UInt64) -> Bool {
    type == .uint64 ? a < b : Int64(bitPattern: a) < Int64(bitPattern: b)
  }

  private mutating func takeDoubles(_ values: UnsafeBufferPointer<UInt64>, _ place: Int, isFirst: Bool) {
    let range = doubleRange(values)
    let numbersBefore = isFirst ? 0 : counts.base[place] - UInt64(values.count) - nanCounts.base[place]
    nanCounts.base[place] += UInt64(range.nans)
    if range.nans < values.count {
      let (least, greatest) = (Double(bitPattern: minima.base[place]), Double(bitPattern: maxima.base[place]))
      if numbersBefore == 0 || range.least < least { minima.base[place] = range.least.bitPattern }
      if numbersBefore == 0 || range.greatest > greatest { maxima.base[place] = range.greatest.bitPattern }
    }
    sum.add(values)
    doubleSums.base[place] = sum.value.bitPattern
  }

  /// The statistics over `rowCounts.count` places; nil if there is no value.
  func column(_ rowCounts: Buffer<UInt64>) -> SummaryColumn? {
    pad(to: rowCounts.count)
    guard counts.span.contains(where: { $0 > 0 }) else { return nil }
    var column = SummaryColumn(column: id, type: type)
    if !counts.span.elementsEqual(rowCounts.span) { column[.count] = counts }
    let kept = SummaryStatistics.kept(of: type)
    if kept.contains(.nanCount), nanCounts.span.contains(where: { $0 > 0 }) { column[.nanCount] = nanCounts }
    if kept.contains(.sum) { column[.sum] = type == .float64 ? wholeDoubleSums() : wholeIntegerSums() }
    if kept.contains(.minimum) {
      column[.minimum] = minima
      column[.maximum] = maxima
      column[.first] = firsts
      column[.last] = lasts
    }
    return column
  }

  /// Nil if one of them does not fit.
  private func wholeIntegerSums() -> Buffer<UInt64>? {
    let words = Buffer<UInt64>(capacity: integerSums.count)
    for sum in integerSums.span {
      guard let sum = Int64(exactly: sum) else { return nil }
      words.append(UInt64(bitPattern: sum))
    }
    return words
  }

  /// Nil if one of them is infinite and no value of it is: adding up such values is an error in SQL, not infinity.
  private func wholeDoubleSums() -> Buffer<UInt64>? {
    for place in 0..<counts.count where !Double(bitPattern: doubleSums.base[place]).isFinite {
      let isExcused =
        nanCounts.base[place] > 0 || !Double(bitPattern: minima.base[place]).isFinite
        || !Double(bitPattern: maxima.base[place]).isFinite
      if !isExcused { return nil }
    }
    return doubleSums
  }
}

/// Least and greatest number, the first of those that are equal, and how many values are NaN.
private func doubleRange(_ values: UnsafeBufferPointer<UInt64>) -> (least: Double, greatest: Double, nans: Int) {
  var least = Double.infinity
  var greatest = -Double.infinity
  var nans = 0
  for word in values {
    let value = Double(bitPattern: word)
    nans += value == value ? 0 : 1
    // Comparisons with NaN are false: it moves neither bound.
    least = value < least ? value : least
    greatest = value > greatest ? value : greatest
  }
  return (least, greatest, nans)
}

/// The sum of doubles. Decimals with few places are summed as such, so that the sum is one too, and stays small when
/// it is stored; other doubles are added up one after the other.
struct DecimalSum: Sendable {
  static let placesLimit = 9
  /// Whole numbers below are found by adding and taking away 1.5 × 2^52.
  static let wholeLimit = 0x1p51
  /// Sums from here on might not be doubles.
  static let sumLimit: Int64 = 1 << 53

  private var plain = 0.0
  private var isDecimal = true
  private var places = 0
  private var scale = 1.0
  /// The exact sum times `scale`.
  private var whole: Int64 = 0

  /// Of all values so far.
  var value: Double { isDecimal ? Double(whole) / scale : plain }

  mutating func add(_ values: UnsafeBufferPointer<UInt64>) {
    var sum = plain
    for word in values { sum += Double(bitPattern: word) }
    plain = sum
    var row = 0
    while isDecimal, row < values.count {
      row = addDecimals(values, from: row)
      if row < values.count { widen() }
    }
  }

  /// Adds values until one needs more places, or the sum is too large; the place of that one.
  private mutating func addDecimals(_ values: UnsafeBufferPointer<UInt64>, from start: Int) -> Int {
    var sum = whole
    var row = start
    while row < values.count {
      let value = Double(bitPattern: values[row])
      let scaled = value * scale
      let nearest = (scaled + 0x1.8p52) - 0x1.8p52
      guard nearest.magnitude < Self.wholeLimit, nearest / scale == value else { break }
      let next = sum + Int64(nearest)
      guard next.magnitude < Self.sumLimit.magnitude else {
        isDecimal = false
        break
      }
      sum = next
      row += 1
    }
    whole = sum
    return row
  }

  private mutating func widen() {
    let (next, overflow) = whole.multipliedReportingOverflow(by: 10)
    guard places < Self.placesLimit, !overflow, next.magnitude < Self.sumLimit.magnitude else {
      isDecimal = false
      return
    }
    whole = next
    places += 1
    scale *= 10
  }
}
