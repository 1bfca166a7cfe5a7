// approx_percentile(fraction, value) and approx_count_distinct(value): aggregates over sketches, whose states can be
// kept and merged later.

import VarveCore

final class ApproximatePercentileAggregate: StorableAggregate {
  private let type: SQLType
  /// Whether the fraction comes before the values; else only what is encoded is asked for.
  private let takesFraction: Bool
  private var sketches: [QuantileSketch] = []
  private var fraction = DirectArgument()
  private(set) var heldByteCount = 0

  init(_ type: SQLType, takesFraction: Bool = true) {
    self.type = type
    self.takesFraction = takesFraction
  }

  func resize(to count: Int) {
    guard count > sketches.count else { return }
    heldByteCount += (count - sketches.count) * MemoryLayout<QuantileSketch>.stride
    sketches.append(contentsOf: repeatElement(QuantileSketch(), count: count - sketches.count))
  }

  private func take(_ arguments: [Column], _ rows: Range<Int>, _ group: (Int) -> Int) throws {
    if rows.isEmpty { return }
    if takesFraction {
      if arguments[0].constantValue != nil {
        try fraction.take(arguments[0], 0, "the fraction of a percentile")
      } else {
        for row in rows { try fraction.take(arguments[0], row, "the fraction of a percentile") }
      }
    }
    let column = AggregateInput(arguments[takesFraction ? 1 : 0]).column
    let words = column.wordBuffer
    for row in rows where !column.isNull(at: row) {
      let place = group(row)
      heldByteCount -= sketches[place].byteCount
      sketches[place].add(Double(bitPattern: words.base[row]))
      heldByteCount += sketches[place].byteCount
    }
  }
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    try take(arguments, 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    try take(arguments, range) { _ in group }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? ApproximatePercentileAggregate else {
      preconditionFailure("states of one aggregate merge")
    }
    try fraction.merge(other.fraction, "the fraction of a percentile")
    for (i, group) in groups.enumerated() { merge(other.sketches[i], into: Int(group)) }
  }
  private func merge(_ sketch: QuantileSketch, into group: Int) {
    heldByteCount -= sketches[group].byteCount
    sketches[group].merge(sketch)
    heldByteCount += sketches[group].byteCount
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(type, capacity: sketches.count)
    for sketch in sketches { try builder.append(try Self.value(sketch, fraction.value ?? .null)) }
    return builder.finish()
  }

  /// At one fraction or an array of them.
  static func value(_ sketch: QuantileSketch, _ fraction: Datum) throws -> Datum {
    if sketch.isEmpty { return .null }
    switch fraction {
    case .array(let fractions): return .array(try fractions.map { try value(sketch, $0) })
    case .float(let fraction):
      guard fraction >= 0, fraction <= 1 else {
        throw SQLError.make("22003", "percentile value \(fraction) is not between 0 and 1")
      }
      return sketch.quantile(fraction).map(Datum.float) ?? .null
    default: return .null
    }
  }

  func encode(group: Int, to out: Buffer<UInt8>) {
    if !sketches[group].isEmpty { SketchBytes.appendText(to: out) { sketches[group].encode(to: $0) } }
  }
  func merge(encoded text: UnsafeBufferPointer<UInt8>, into group: Int) throws {
    merge(try QuantileSketch(text: text), into: group)
  }
}

final class ApproximateCountAggregate: StorableAggregate {
  private var sketches: [DistinctSketch] = []
  private(set) var heldByteCount = 0

  func resize(to count: Int) {
    guard count > sketches.count else { return }
    heldByteCount += (count - sketches.count) * MemoryLayout<DistinctSketch>.stride
    sketches.append(contentsOf: repeatElement(DistinctSketch(), count: count - sketches.count))
  }

  private func add(_ hash: UInt64, _ group: Int) {
    heldByteCount -= sketches[group].byteCount
    sketches[group].add(hash: hash)
    heldByteCount += sketches[group].byteCount
  }

  private func take(_ column: Column, _ rows: Range<Int>, _ group: (Int) -> Int) {
    let column = column.constantValue == nil ? column : column.materialized()
    switch column.storage {
    case .words(let words):
      let float = column.type.isFloat
      for row in rows where !column.isNull(at: row) {
        let word = float ? Hashing.canonicalDouble(words.base[row]) : words.base[row]
        add(DistinctSketch.hash(word: word), group(row))
      }
    case .text, .dictionary:
      for row in rows where !column.isNull(at: row) {
        add(DistinctSketch.hash(bytes: column.textBytes(row)), group(row))
      }
    case .data(let data):
      for row in rows where !data[row].isNull { add(Self.hash(data[row]), group(row)) }
    case .constant: preconditionFailure("constants were made columns")
    }
  }

  /// Equal values hash alike: numerics without their trailing zeros, intervals by their length.
  private static func hash(_ datum: Datum) -> UInt64 {
    let out = Buffer<UInt8>()
    append(datum, to: out)
    return withExtendedLifetime(out) { DistinctSketch.hash(bytes: out.span) }
  }
  private static func append(_ datum: Datum, to out: Buffer<UInt8>) {
    func append(_ word: UInt64) {
      for byte in 0..<8 { out.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))) }
    }
    switch datum {
    case .null: out.append(0)
    case .bool, .int, .timestamp, .date: append(ColumnBuilder.word(datum))
    case .float(let value): append(Hashing.canonicalDouble(value.bitPattern))
    case .text(let text): TypeText.append(text, to: out)
    case .bytea(let bytes): bytes.withUnsafeBufferPointer { out.append($0) }
    case .numeric(let value): TypeText.append(value.normalizedText, to: out)
    case .interval(let value):
      append(UInt64(truncatingIfNeeded: value.comparable))
      append(UInt64(truncatingIfNeeded: value.comparable >> 64))
    case .array(let elements):
      append(UInt64(elements.count))
      for element in elements {
        let one = Buffer<UInt8>()
        Self.append(element, to: one)
        append(UInt64(one.count))
        out.append(contentsOf: one)
      }
    }
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    take(arguments[0], 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) { take(arguments[0], range) { _ in group } }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? ApproximateCountAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { merge(other.sketches[i], into: Int(group)) }
  }
  private func merge(_ sketch: DistinctSketch, into group: Int) {
    heldByteCount -= sketches[group].byteCount
    sketches[group].merge(sketch)
    heldByteCount += sketches[group].byteCount
  }
  func result() -> Column {
    var builder = ColumnBuilder(.int8, capacity: sketches.count)
    for sketch in sketches { builder.append(Int64(clamping: sketch.estimate)) }
    return builder.finish()
  }

  func encode(group: Int, to out: Buffer<UInt8>) {
    if !sketches[group].isEmpty { SketchBytes.appendText(to: out) { sketches[group].encode(to: $0) } }
  }
  func merge(encoded text: UnsafeBufferPointer<UInt8>, into group: Int) throws {
    merge(try DistinctSketch(text: text), into: group)
  }
}
