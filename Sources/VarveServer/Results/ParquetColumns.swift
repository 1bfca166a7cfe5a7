// How columns of SQL stand in a Parquet file (FORMAT.md, "Parquet"), and their values as its vectors.

import VarveArchive
import VarveCompute
import VarveCore

/// What a column of the file is made of.
enum ParquetPart {
  /// The words of the column as they are.
  case words
  /// The same as float4's bits.
  case single
  /// Microseconds of a time, floored.
  case microseconds
  /// The nanoseconds that these leave.
  case remainder
  case decimal(precision: Int, scale: Int)
  case text
  /// PostgreSQL's text of the value.
  case written
  case bytes
}

struct ParquetPlan {
  /// Digits of a numeric that says no precision, and those behind the point.
  private static let openPrecision = 38
  private static let openScale = 18

  private(set) var columns: [ParquetColumn] = []
  private(set) var parts: [(source: Int, part: ParquetPart)] = []
  /// Remainders that are not there if they are all 0.
  private(set) var omittedWhenZero: Set<Int> = []

  /// Throws where the columns cannot stand in one file.
  init(_ source: [(name: String, type: SQLType)]) throws {
    guard !source.isEmpty else {
      throw VarveError(.query, "a Parquet file has at least one column", sqlState: "0A000")
    }
    var names = Set<Name>()
    for (name, _) in source where !names.insert(Name(name)).inserted {
      throw VarveError(
        .query, "column \"\(name)\" specified more than once", hint: "Name the columns of a Parquet file with AS.",
        sqlState: "42701")
    }
    for (index, (name, type)) in source.enumerated() {
      let (column, part) = try Self.column(name, type)
      columns.append(column)
      parts.append((index, part))
    }
    for (index, (name, type)) in source.enumerated() where type == .timestamptz || type == .timestamp {
      let remainder = name + ParquetTimes.remainderSuffix
      guard names.insert(Name(remainder)).inserted else { continue }
      omittedWhenZero.insert(columns.count)
      columns.append(ParquetColumn(remainder, .int32))
      parts.append((index, .remainder))
    }
  }

  private static func column(_ name: String, _ type: SQLType) throws -> (ParquetColumn, ParquetPart) {
    switch type {
    case .bool: return (ParquetColumn(name, .boolean), .words)
    case .int2: return (ParquetColumn(name, .int32, .integer(bitWidth: 16, isSigned: true)), .words)
    case .int4: return (ParquetColumn(name, .int32), .words)
    case .int8, .oid: return (ParquetColumn(name, .int64), .words)
    case .float4: return (ParquetColumn(name, .float), .single)
    case .float8: return (ParquetColumn(name, .double), .words)
    case .timestamptz: return (ParquetColumn(name, .int64, .timestamp(.microseconds, isUTC: true)), .microseconds)
    case .timestamp: return (ParquetColumn(name, .int64, .timestamp(.microseconds, isUTC: false)), .microseconds)
    case .date: return (ParquetColumn(name, .int32, .date), .words)
    case .numeric(let precision, let scale):
      let digits = (precision: precision ?? openPrecision, scale: precision == nil ? openScale : scale ?? 0)
      guard digits.precision <= openPrecision, (0...digits.precision).contains(digits.scale) else {
        throw VarveError(
          .query, "column \"\(name)\" has more digits than the \(openPrecision) of a Parquet file",
          hint: "Cast it to double precision, text, or numeric(38, n).", sqlState: "0A000")
      }
      return (
        .decimal(name, precision: digits.precision, scale: digits.scale),
        .decimal(precision: digits.precision, scale: digits.scale)
      )
    case .bytea: return (ParquetColumn(name, .bytes), .bytes)
    case .json, .jsonb: return (ParquetColumn(name, .bytes, .json), .text)
    case .text, .varchar, .bpchar, .name, .char, .uuid: return (ParquetColumn(name, .bytes, .text), .text)
    default: return (ParquetColumn(name, .bytes, .text), .written)
    }
  }
}

/// The values of a column of a query as a part of the file.
struct ParquetVectorMaker {
  private let column: Column
  private let name: String
  private let context: EvaluationContext

  init(_ column: Column, name: String, context: EvaluationContext) {
    self.column = column.materialized()
    self.name = name
    self.context = context
  }

  func vector(_ part: ParquetPart) throws -> ParquetVector {
    switch (part, column.storage) {
    case (.words, .words(let words)): return ParquetVector(words: words, presence: presence)
    case (.single, .words(let words)): return map(words) { UInt64(Float(Double(bitPattern: $0)).bitPattern) }
    case (.microseconds, .words(let words)):
      return map(words) { UInt64(bitPattern: ParquetTimes.microseconds(Int64(bitPattern: $0))) }
    case (.remainder, .words(let words)):
      return map(words) { UInt64(bitPattern: ParquetTimes.remainder(Int64(bitPattern: $0))) }
    case (.text, .text(let words, let bytes)): return ParquetVector(words: words, bytes: bytes, presence: presence)
    case (.decimal(let precision, let scale), _):
      return try gather { try decimal($0, precision: precision, scale: scale, into: $1) }
    case (.bytes, _):
      return try gather { datum, bytes in if case .bytea(let value) = datum { bytes.append(value) } }
    default: return try gather { bytes in Array(try TypeText.string(bytes, type: column.type, context: context).utf8) }
    }
  }

  private var presence: Buffer<UInt8>? {
    guard let nulls = column.nulls else { return nil }
    let presence = Buffer<UInt8>(capacity: column.count)
    for row in 0..<column.count { presence.append(1 - nulls.base[row]) }
    return presence
  }

  /// Words that are not there may become anything.
  private func map(_ words: Buffer<UInt64>, _ convert: (UInt64) -> UInt64) -> ParquetVector {
    let out = Buffer<UInt64>(capacity: column.count)
    for row in 0..<column.count { out.append(convert(words.base[row])) }
    return ParquetVector(words: out, presence: presence)
  }

  private func gather(_ bytes: (Datum) throws -> [UInt8]) throws -> ParquetVector {
    try gather { datum, out in
      let value = try bytes(datum)
      value.withUnsafeBufferPointer { out.append($0) }
    }
  }

  /// Values one by one.
  private func gather(_ append: (Datum, Buffer<UInt8>) throws -> Void) throws -> ParquetVector {
    let (words, bytes) = (Buffer<UInt64>(capacity: column.count), Buffer<UInt8>())
    let presence = Buffer<UInt8>(capacity: column.count)
    for row in 0..<column.count {
      let datum = column.datum(at: row)
      let start = bytes.count
      if !datum.isNull { try append(datum, bytes) }
      guard bytes.count - start < 1 << 24 else {
        throw VarveError(.limitExceeded, "a value of column \"\(name)\" has more than 16 MiB", sqlState: "54000")
      }
      words.append(datum.isNull ? 0 : TextRef(offset: start, length: bytes.count - start).word)
      presence.append(datum.isNull ? 0 : 1)
    }
    return ParquetVector(words: words, bytes: bytes, presence: presence)
  }

  private func decimal(_ datum: Datum, precision: Int, scale: Int, into bytes: Buffer<UInt8>) throws {
    guard case .numeric(let value) = datum else { preconditionFailure("a numeric in a column of numeric") }
    let scaled: Numeric?
    do {
      scaled = value.isFinite ? try value.applying(precision: precision, scale: scale) : nil
    } catch let error as VarveError where error.sqlState == "22003" {
      scaled = nil
    }
    guard let scaled else {
      throw VarveError(
        .query, "\(value.text) of column \"\(name)\" does not fit the DECIMAL(\(precision), \(scale)) of the file",
        hint: "Cast the column to double precision or text, or to a numeric that it fits.", sqlState: "22003")
    }
    let width = ParquetColumn.decimal("", precision: precision, scale: scale).byteWidth
    for byte in (0..<width).reversed() { bytes.append(UInt8(truncatingIfNeeded: scaled.mantissa >> Int128(byte * 8))) }
  }
}

extension Buffer where Element == UInt8 {
  fileprivate func append(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { append($0) } }
}
