// Rows as PostgreSQL's binary formats have them: time, tags, fields, each value behind its length, big-endian. COPY counts
// a row's values before them; the parameters of a prepared INSERT are the values of all its rows.

import VarveCore

package enum RowEncoding: Sendable {
  case line
  /// A tuple of COPY … (FORMAT binary).
  case copy
  /// Parameters of Bind, in binary format.
  case parameters
}

/// What binary rows of a plan have in common.
struct BinaryLayout {
  struct Field: BitwiseCopyable {
    enum Kind: UInt8 { case integer, decimal, boolean, text }
    let kind: Kind
    /// Of decimals: units of a whole.
    let power: Double
  }

  let schema: LoadPlan.Schema
  let fields: Buffer<Field>
  /// Values of a row if they are counted before it, else nil.
  let count: Int16?
  /// Microseconds since 2000, which is all that the format carries.
  let start: Int64
  let step: Int64

  init(_ plan: LoadPlan, _ encoding: RowEncoding) {
    precondition(plan.stepNanoseconds % 1000 == 0, "steps of whole microseconds")
    let shape = RowShape(plan.schema)
    schema = plan.schema
    fields = Buffer(
      shape.fields.map { field in
        switch field.kind {
        case .integer: Field(kind: .integer, power: 1)
        case .decimal(let places): Field(kind: .decimal, power: (0..<places).reduce(1.0) { power, _ in power * 10 })
        case .boolean: Field(kind: .boolean, power: 1)
        case .text: Field(kind: .text, power: 1)
        }
      })
    count = encoding == .copy ? Int16(1 + shape.tagNames.count + shape.fields.count) : nil
    start = plan.start / 1000 - 946_684_800_000_000
    step = plan.stepNanoseconds / 1000
  }
}

/// A text behind its length.
func binaryText(_ text: String) -> [UInt8] {
  let count = UInt32(text.utf8.count)
  return (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + Array(text.utf8)
}

@inline(__always)
private func putBigEndian<T: FixedWidthInteger>(_ value: T, _ out: inout UnsafeMutableRawPointer) {
  out.storeBytes(of: value.bigEndian, as: T.self)
  out += MemoryLayout<T>.size
}

func putBinaryRows(
  _ rows: UnsafeBufferPointer<PlannedRow>, seed: UInt64, _ layout: BinaryLayout, _ tables: RowTables,
  _ notes: ValueNotes, _ out: inout UnsafeMutableRawPointer
) {
  for (index, row) in rows.enumerated() {
    let hash = seriesHash(row, seed)
    let step = valueStep(row)
    let counted = row.isProvisional ? 0 : ~0
    if let count = layout.count { putBigEndian(count, &out) }
    putBigEndian(Int32(8), &out)
    putBigEndian(layout.start + Int64(row.step) * layout.step, &out)
    let length = out
    out += 4
    putPiece(tables.opening, 0, &out)
    putNumber(UInt64(row.series), tables, &out)
    length.storeBytes(of: UInt32(truncatingIfNeeded: out - length - 4).bigEndian, as: UInt32.self)
    putPiece(tables.profiles, Int(hash % UInt64(RowTables.profileCount)), &out)
    for field in 0..<layout.fields.count {
      let value = rowValue(layout.schema, field, hash, step, tables)
      if field == 0 { notes.firstValues[index] = Int32(truncatingIfNeeded: value) }
      notes.sums[field] &+= putBinaryValue(value, layout.fields.base[field], tables, &out) & counted
    }
  }
}

/// Gives what is added up of it.
@inline(__always)
private func putBinaryValue(
  _ value: Int, _ field: BinaryLayout.Field, _ tables: RowTables, _ out: inout UnsafeMutableRawPointer
) -> Int {
  switch field.kind {
  case .integer:
    putBigEndian(Int32(8), &out)
    putBigEndian(Int64(value), &out)
  case .decimal:
    putBigEndian(Int32(8), &out)
    // Rounded correctly, so it is the double that the decimal's text stands for.
    putBigEndian((Double(value) / field.power).bitPattern, &out)
  case .boolean:
    putBigEndian(Int32(1), &out)
    putBigEndian(UInt8(truncatingIfNeeded: value), &out)
  case .text:
    let length = tables.texts.lengths.base[value]
    putBigEndian(Int32(truncatingIfNeeded: length), &out)
    putPiece(tables.texts, value, &out)
    return length
  }
  return value
}
