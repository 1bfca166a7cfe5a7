// Batches of columns into DataRow messages: the wire is by row where the batch is by column.
//
// For each column of a batch it is decided once where its values stand and how they are written; the loop over the
// rows branches on that alone. Texts are copied from the column's memory, numbers and times are written into the
// buffer by VarveCompute's writers, and only the rare types go through a Datum.

import VarveCompute
import VarveCore
import VarveWire

/// Encodes the batches of one portal, one after the other, as far as there is room.
struct RowEncoder {
  private enum Kind {
    /// Texts, which are the same in both formats, at `refs`, or at `refs` by `codes`.
    case text, dictionary
    /// Through `writers`: words, whose NULLs are known, and anything else.
    case formatted, otherText
    /// Words in binary format.
    case bytes1, bytes2, bytes4, bytes8
    case otherBinary
    /// The same bytes in every row, with their length before them.
    case constant
  }

  private struct Field {
    var kind: Kind
    var nulls: UnsafePointer<UInt8>?
    var refs: UnsafePointer<UInt64>?
    var refCount = 0
    var codes: UnsafePointer<UInt32>?
    var bytes: UnsafePointer<UInt8>?
    var byteCount = 0
  }

  private let columnCount: Int
  private let formats: [FormatCode]
  private let context: EvaluationContext

  private var batch: ColumnBatch?
  private var nextRow = 0
  private var fields: [Field] = []
  /// One a column; used by `.formatted` ones.
  private var writers: [ColumnTextWriter] = []
  /// What `.constant` fields point to.
  private var constants: [Buffer<UInt8>] = []

  /// `formats`: none (text), one for all, or one a column.
  init(columnCount: Int, formats: [FormatCode], context: EvaluationContext) {
    precondition(formats.count <= 1 || formats.count == columnCount, "a format a column")
    self.columnCount = columnCount
    self.formats = formats
    self.context = context
  }

  /// Rows of the batch that are not encoded yet.
  var remainingRows: Int { batch.map { $0.count - nextRow } ?? 0 }

  /// Takes up a batch whose rows are encoded next.
  mutating func start(_ batch: ColumnBatch) throws {
    precondition(remainingRows == 0, "a batch before the last one is done")
    precondition(batch.columns.count == columnCount, "a batch has the columns that were announced")
    fields.removeAll(keepingCapacity: true)
    writers.removeAll(keepingCapacity: true)
    constants.removeAll(keepingCapacity: true)
    for (i, column) in batch.columns.enumerated() {
      writers.append(try ColumnTextWriter(column, context: context))
      fields.append(try field(column, formats.isEmpty ? .text : formats[formats.count == 1 ? 0 : i]))
    }
    self.batch = batch
    nextRow = 0
  }

  private mutating func field(_ column: Column, _ format: FormatCode) throws -> Field {
    let nulls = column.nulls.map { UnsafePointer($0.base) }
    switch column.storage {
    case .text where format == .binary && column.type.isTextInTextFormatOnly,
      .dictionary where format == .binary && column.type.isTextInTextFormatOnly:
      return Field(kind: .otherBinary)
    case .text(let refs, let bytes):
      return Field(
        kind: .text, nulls: nulls, refs: refs.base, refCount: refs.count, bytes: bytes.base, byteCount: bytes.count)
    case .dictionary(let codes, let dictionary):
      return Field(
        kind: .dictionary, nulls: nulls, refs: dictionary.refs.base, refCount: dictionary.refs.count,
        codes: codes.base, bytes: dictionary.bytes.base, byteCount: dictionary.bytes.count)
    case .words(let words):
      return Field(
        kind: format == .text ? .formatted : Self.kind(ofBinary: column.type), nulls: nulls, refs: words.base,
        refCount: words.count)
    case .data: return Field(kind: format == .text ? .otherText : .otherBinary)
    case .constant(let value):
      let bytes = try constant(value, column.type, format)
      constants.append(bytes)
      return Field(kind: .constant, bytes: bytes.base, byteCount: bytes.count)
    }
  }

  /// Words whose binary form is a plain integer of that width. Float4 and the times are more than that.
  private static func kind(ofBinary type: SQLType) -> Kind {
    switch type {
    case .bool: .bytes1
    case .int2: .bytes2
    case .int4, .oid, .regclass, .regtype, .regproc: .bytes4
    case .int8, .float8: .bytes8
    default: .otherBinary
    }
  }

  private func constant(_ value: Datum, _ type: SQLType, _ format: FormatCode) throws -> Buffer<UInt8> {
    let writer = BackendWriter()
    if value.isNull {
      writer.null()
      return writer.buffer
    }
    let start = writer.beginValue()
    switch format {
    case .text: try TypeText.append(value, type: type, to: writer.buffer, context: context)
    case .binary: try TypeBinary.append(value, type: type, to: writer.buffer, context: context)
    }
    writer.endValue(start)
    return writer.buffer
  }

  /// Writes rows until `rowLimit` of them, the end of the batch, or a buffer of `byteLimit`. Returns their number.
  mutating func encode(rowLimit: Int, byteLimit: Int, into writer: BackendWriter) throws -> Int {
    guard let batch else { return 0 }
    let first = nextRow
    let end = first + min(rowLimit, batch.count - first)
    // The fields point into the columns of the batch and into `constants`, which stay as they are meanwhile.
    let context = self.context
    var row = first
    defer { nextRow = row }
    try withExtendedLifetime((batch, constants)) {
      try fields.withUnsafeBufferPointer { fields in
        try writers.withUnsafeMutableBufferPointer { writers in
          while row < end {
            try Self.encodeRow(row, batch, fields, writers, context, into: writer)
            row += 1
            if writer.byteCount >= byteLimit { break }
          }
        }
      }
    }
    if row == batch.count {
      // Large texts needn't wait for the next batch.
      self.batch = nil
      writers.removeAll(keepingCapacity: true)
    }
    return row - first
  }

  @inline(__always)
  private static func encodeRow(
    _ row: Int, _ batch: ColumnBatch, _ fields: UnsafeBufferPointer<Field>,
    _ writers: UnsafeMutableBufferPointer<ColumnTextWriter>, _ context: EvaluationContext, into writer: BackendWriter
  ) throws {
    let out = writer.buffer
    let message = writer.beginDataRow(columnCount: fields.count)
    for i in 0..<fields.count {
      let field = fields[i]
      if let nulls = field.nulls, nulls[row] != 0 {
        writer.null()
        continue
      }
      switch field.kind {
      case .text: writer.value(text(field, index: row))
      case .dictionary: writer.value(text(field, index: Int(field.codes.unsafelyUnwrapped[row])))
      case .bytes1:
        writer.int32(1)
        out.append(field.refs.unsafelyUnwrapped[row] == 0 ? 0 : 1)
      case .bytes2:
        writer.int32(2)
        writer.int16(Int16(truncatingIfNeeded: field.refs.unsafelyUnwrapped[row]))
      case .bytes4:
        writer.int32(4)
        writer.int32(Int32(truncatingIfNeeded: field.refs.unsafelyUnwrapped[row]))
      case .bytes8:
        writer.int32(8)
        writer.int64(Int64(bitPattern: field.refs.unsafelyUnwrapped[row]))
      case .constant: out.append(UnsafeBufferPointer(start: field.bytes, count: field.byteCount))
      case .formatted:
        let start = writer.beginValue()
        try writers[i].append(row, to: out)
        writer.endValue(start)
      case .otherText:
        if batch.columns[i].isNull(at: row) {
          writer.null()
        } else {
          let start = writer.beginValue()
          try writers[i].append(row, to: out)
          writer.endValue(start)
        }
      case .otherBinary:
        let start = writer.beginValue()
        if try TypeBinary.append(batch.columns[i], row: row, to: out, context: context) {
          writer.endValue(start)
        } else {
          writer.patch(-1, at: start)
        }
      }
    }
    try writer.endDataRow(message)
  }

  @inline(__always)
  private static func text(_ field: Field, index: Int) -> UnsafeBufferPointer<UInt8> {
    precondition(index < field.refCount, "a text beyond its column")
    let ref = TextRef(word: field.refs.unsafelyUnwrapped[index])
    precondition(ref.offset + ref.length <= field.byteCount, "text reference past its bytes")
    return UnsafeBufferPointer(start: field.bytes.unsafelyUnwrapped + ref.offset, count: ref.length)
  }
}
