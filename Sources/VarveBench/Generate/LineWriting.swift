// Lines as bytes: copies of prepared pieces and look-ups of digits, nothing is formatted or allocated on the way.
//
// Pieces are copied in whole words beyond their ends; what is written next covers the surplus. The caller's memory has
// room for `RowTables.rowByteLimit` bytes a line and 64 behind the last.

import VarveCore

/// The time stamp of the row before: most rows have the same.
struct StampText {
  private let start: Int64
  private let stepNanoseconds: Int64
  private var step = UInt32.max
  private var text = SIMD32<UInt8>()
  private var length = 0

  init(_ plan: LoadPlan) {
    start = plan.start
    stepNanoseconds = plan.stepNanoseconds
  }

  /// Writes the stamp and the line's end.
  @inline(__always)
  mutating func put(_ step: UInt32, _ tables: RowTables, _ out: inout UnsafeMutableRawPointer) {
    if step != self.step { prepare(step, tables) }
    out.storeBytes(of: text, as: SIMD32<UInt8>.self)
    out += length
  }

  private mutating func prepare(_ step: UInt32, _ tables: RowTables) {
    self.step = step
    let nanoseconds = UInt64(start + Int64(step) * stepNanoseconds)
    withUnsafeMutableBytes(of: &text) { bytes in
      guard let begin = bytes.baseAddress else { preconditionFailure("thirty-two bytes") }
      var end = begin
      putNumber(nanoseconds, tables, &end)
      end.storeBytes(of: 0x0A, as: UInt8.self)
      length = end - begin + 1
    }
  }
}

@inline(__always)
func putPiece(_ pieces: Pieces, _ index: Int, _ out: inout UnsafeMutableRawPointer) {
  let source = UnsafeRawPointer(pieces.bytes.base + index * Pieces.stride)
  let length = pieces.lengths.base[index]
  var offset = 0
  repeat {
    (out + offset).storeBytes(
      of: (source + offset).loadUnaligned(as: SIMD32<UInt8>.self), as: SIMD32<UInt8>.self)
    offset += 32
  } while offset < length
  out += length
}

/// Below 10,000, without zeros in front.
@inline(__always)
private func putShort(_ value: Int, _ tables: RowTables, _ out: inout UnsafeMutableRawPointer) {
  let number = tables.shortNumbers.base[value]
  out.storeBytes(of: UInt32(truncatingIfNeeded: number), as: UInt32.self)
  out += Int(number >> 32)
}

func putNumber(_ value: UInt64, _ tables: RowTables, _ out: inout UnsafeMutableRawPointer) {
  if value < 10_000 { return putShort(Int(value), tables, &out) }
  let (high, low) = value.quotientAndRemainder(dividingBy: 10_000)
  putNumber(high, tables, &out)
  out.storeBytes(of: tables.fourDigits.base[Int(low)], as: UInt32.self)
  out += 4
}

/// `places` is 1 to 5, `power` is ten to it; the whole part is below 10,000.
@inline(__always)
private func putDecimal(
  _ value: Int, places: Int, power: Int, _ tables: RowTables, _ out: inout UnsafeMutableRawPointer
) {
  let (whole, part) = value.quotientAndRemainder(dividingBy: power)
  putShort(whole, tables, &out)
  out.storeBytes(of: 0x2E, as: UInt8.self)
  out += 1
  // Digits in front, without their leading zeros' surplus: 5 places are one digit and four.
  if places == 5 {
    let (first, rest) = part.quotientAndRemainder(dividingBy: 10_000)
    out.storeBytes(of: UInt8(truncatingIfNeeded: 0x30 + first), as: UInt8.self)
    (out + 1).storeBytes(of: tables.fourDigits.base[rest], as: UInt32.self)
  } else {
    out.storeBytes(of: tables.fourDigits.base[part] >> UInt32(8 * (4 - places)), as: UInt32.self)
  }
  out += places
}

@inline(__always)
private func putOpening(
  _ row: PlannedRow, _ hash: UInt64, _ tables: RowTables, _ out: inout UnsafeMutableRawPointer
) {
  putPiece(tables.opening, 0, &out)
  putNumber(UInt64(row.series), tables, &out)
  putPiece(tables.profiles, Int(hash % UInt64(RowTables.profileCount)), &out)
}

func putCPULines(
  _ rows: UnsafeBufferPointer<PlannedRow>, seed: UInt64, _ tables: RowTables, _ notes: ValueNotes,
  _ stamp: inout StampText, _ out: inout UnsafeMutableRawPointer
) {
  for (index, row) in rows.enumerated() {
    let hash = seriesHash(row, seed)
    putOpening(row, hash, tables, &out)
    let step = valueStep(row)
    let counted = row.isProvisional ? 0 : ~0
    for field in 0..<10 {
      putPiece(tables.keys, field, &out)
      let value = cpuValue(field, hash, step, tables)
      putShort(value, tables, &out)
      notes.sums[field] &+= value & counted
      if field == 0 { notes.firstValues[index] = Int32(truncatingIfNeeded: value) }
    }
    putPiece(tables.keys, 10, &out)
    stamp.put(row.step, tables, &out)
  }
}

func putIOTLines(
  _ rows: UnsafeBufferPointer<PlannedRow>, seed: UInt64, _ tables: RowTables, _ notes: ValueNotes,
  _ stamp: inout StampText, _ out: inout UnsafeMutableRawPointer
) {
  for (index, row) in rows.enumerated() {
    let hash = seriesHash(row, seed)
    putOpening(row, hash, tables, &out)
    let step = valueStep(row)
    let counted = row.isProvisional ? 0 : ~0
    let temperature = iotValue(0, hash, step, tables)
    notes.firstValues[index] = Int32(truncatingIfNeeded: temperature)
    notes.sums[0] &+= temperature & counted
    putPiece(tables.keys, 0, &out)
    putDecimal(temperature, places: 1, power: 10, tables, &out)
    let humidity = iotValue(1, hash, step, tables)
    notes.sums[1] &+= humidity & counted
    putPiece(tables.keys, 1, &out)
    putDecimal(humidity, places: 2, power: 100, tables, &out)
    let battery = iotValue(2, hash, step, tables)
    notes.sums[2] &+= battery & counted
    putPiece(tables.keys, 2, &out)
    putDecimal(battery, places: 3, power: 1000, tables, &out)
    let latitude = iotValue(3, hash, step, tables)
    notes.sums[3] &+= latitude & counted
    putPiece(tables.keys, 3, &out)
    putDecimal(latitude, places: 5, power: 100_000, tables, &out)
    let longitude = iotValue(4, hash, step, tables)
    notes.sums[4] &+= longitude & counted
    putPiece(tables.keys, 4, &out)
    putDecimal(longitude, places: 5, power: 100_000, tables, &out)
    let charging = iotValue(5, hash, step, tables)
    notes.sums[5] &+= charging & counted
    putPiece(tables.keys, 5, &out)
    out.storeBytes(of: charging == 1 ? 0x74 : 0x66, as: UInt8.self)
    out += 1
    let status = iotValue(6, hash, step, tables)
    notes.sums[6] &+= tables.texts.lengths.base[status] & counted
    putPiece(tables.keys, 6, &out)
    putPiece(tables.texts, status, &out)
    putPiece(tables.keys, 7, &out)
    stamp.put(row.step, tables, &out)
  }
}

func putNarrowLines(
  _ rows: UnsafeBufferPointer<PlannedRow>, seed: UInt64, _ tables: RowTables, _ notes: ValueNotes,
  _ stamp: inout StampText, _ out: inout UnsafeMutableRawPointer
) {
  for (index, row) in rows.enumerated() {
    let hash = seriesHash(row, seed)
    putPiece(tables.opening, 0, &out)
    putNumber(UInt64(row.series), tables, &out)
    let value = narrowValue(hash, valueStep(row), tables)
    notes.firstValues[index] = Int32(truncatingIfNeeded: value)
    notes.sums[0] &+= row.isProvisional ? 0 : value
    putPiece(tables.keys, 0, &out)
    putDecimal(value, places: 2, power: 100, tables, &out)
    putPiece(tables.keys, 1, &out)
    stamp.put(row.step, tables, &out)
  }
}
