// Footer, indexes and page headers, read. Total: any bytes give values, `.corruption`, or `.unsupported` where a file is
// sound but has what is not read here.

import VarveCore
import VarveFormat

/// One entry of the schema, as it stands in the file.
private struct SchemaEntry {
  var name = ""
  var type: ParquetPhysicalType?
  var byteWidth = 0
  var repetition = 0
  var childCount = 0
  var convertedType: Int?
  var precision = 0
  var scale = 0
  var logical: ParquetMeaning?
}

extension ParquetMetadata {
  /// Bytes that a column chunk takes in a footer at the least: what it becomes in memory is some times that.
  fileprivate static let chunkByteCount = 16
  private static let columnLimit = 1 << 16

  package init(footer bytes: UnsafeRawBufferPointer) throws {
    var reader = CompactReader(bytes)
    var metadata = ParquetMetadata(columns: [])
    var entries: [SchemaEntry] = []
    try reader.structure { reader, id, type in
      switch id {
      case 2:
        try reader.list(type) { reader, _ in
          guard entries.count <= Self.columnLimit else {
            throw VarveError(.limitExceeded, "files of more than \(Self.columnLimit) columns are not read")
          }
          entries.append(try SchemaEntry(&reader))
        }
      case 3: metadata.rowCount = try reader.integer(type)
      case 4: try reader.list(type) { reader, _ in metadata.rowGroups.append(try ParquetRowGroup(&reader)) }
      case 5: try reader.list(type) { reader, _ in metadata.keyValues.append(try Self.keyValue(&reader)) }
      case 6: metadata.createdBy = try reader.text(type)
      case 8: throw VarveError(.unsupported, "the file is encrypted", hint: "Write it without encryption.")
      default: return false
      }
      return true
    }
    metadata.columns = try Self.columns(entries)
    for group in metadata.rowGroups {
      guard group.columns.count == metadata.columns.count, group.rowCount >= 0 else {
        throw VarveError(
          .corruption, "a row group has \(group.columns.count) columns where the file has \(metadata.columns.count)")
      }
    }
    self = metadata
  }

  private static func keyValue(_ reader: inout CompactReader) throws -> (key: String, value: String) {
    var pair = (key: "", value: "")
    try reader.structure { reader, id, type in
      switch id {
      case 1: pair.key = try reader.text(type)
      case 2: pair.value = try reader.text(type)
      default: return false
      }
      return true
    }
    return pair
  }

  /// The root's children, none of which has children itself.
  private static func columns(_ entries: [SchemaEntry]) throws -> [ParquetColumn] {
    guard let root = entries.first, root.childCount <= entries.count else {
      throw VarveError(.corruption, "a file without a schema")
    }
    for entry in entries.dropFirst() where entry.childCount > 0 || entry.repetition == 2 || entry.type == nil {
      throw VarveError(
        .unsupported, "column \"\(entry.name)\" is nested: lists, maps and structures are not read",
        hint: "Write the file with a plain column for each value in it.")
    }
    guard root.childCount == entries.count - 1 else { throw VarveError(.corruption, "a schema that is cut short") }
    return try entries.dropFirst().map { try $0.column() }
  }
}

extension SchemaEntry {
  init(_ reader: inout CompactReader) throws {
    var entry = SchemaEntry()
    try reader.structure { reader, id, type in
      switch id {
      case 1:
        let code = try reader.integer(type)
        guard let physical = ParquetPhysicalType(rawValue: code) else {
          throw VarveError(.unsupported, "a column of type \(code), which is not known")
        }
        entry.type = physical
      case 2: entry.byteWidth = try reader.integer(type)
      case 3: entry.repetition = try reader.integer(type)
      case 4: entry.name = try reader.text(type)
      case 5: entry.childCount = try reader.integer(type)
      case 6: entry.convertedType = try reader.integer(type)
      case 7: entry.scale = try reader.integer(type)
      case 8: entry.precision = try reader.integer(type)
      case 10: entry.logical = try ParquetMeaning(&reader)
      default: return false
      }
      return true
    }
    self = entry
  }

  func column() throws -> ParquetColumn {
    guard let type else { throw VarveError(.corruption, "column \"\(name)\" has no type") }
    if type == .fixedBytes, !(1...(1 << 20)).contains(byteWidth) {
      throw VarveError(.corruption, "column \"\(name)\" has values of \(byteWidth) bytes")
    }
    return ParquetColumn(
      name, type, meaning(type), byteWidth: type == .fixedBytes ? byteWidth : 0, isRequired: repetition == 0)
  }

  /// As far as it goes with the type: else the values are what they are stored as.
  private func meaning(_ type: ParquetPhysicalType) -> ParquetMeaning {
    let meaning = logical ?? converted
    switch (meaning, type) {
    // What it is read as.
    case (_, .int96): return .timestamp(.nanoseconds, isUTC: true)
    case (.text, .bytes), (.json, .bytes), (.date, .int32), (.integer, .int32), (.integer(64, _), .int64),
      (.time(.milliseconds, _), .int32), (.time(.microseconds, _), .int64), (.time(.nanoseconds, _), .int64),
      (.timestamp, .int64):
      return meaning
    case (.uuid, .fixedBytes) where byteWidth == 16: return meaning
    case (.decimal(let precision, let scale), .int32), (.decimal(let precision, let scale), .int64),
      (.decimal(let precision, let scale), .bytes), (.decimal(let precision, let scale), .fixedBytes):
      return (1...38).contains(precision) && (0...precision).contains(scale) ? meaning : .plain
    default: return .plain
    }
  }

  private var converted: ParquetMeaning {
    switch convertedType {
    // Names of an enumeration are text.
    case 0, 4: .text
    case 5: .decimal(precision: precision, scale: scale)
    case 6: .date
    case 7: .time(.milliseconds, isUTC: true)
    case 8: .time(.microseconds, isUTC: true)
    case 9: .timestamp(.milliseconds, isUTC: true)
    case 10: .timestamp(.microseconds, isUTC: true)
    case 11: .integer(bitWidth: 8, isSigned: false)
    case 12: .integer(bitWidth: 16, isSigned: false)
    case 13: .integer(bitWidth: 32, isSigned: false)
    case 14: .integer(bitWidth: 64, isSigned: false)
    case 15: .integer(bitWidth: 8, isSigned: true)
    case 16: .integer(bitWidth: 16, isSigned: true)
    case 17: .integer(bitWidth: 32, isSigned: true)
    case 18: .integer(bitWidth: 64, isSigned: true)
    case 19: .json
    default: .plain
    }
  }
}

extension ParquetMeaning {
  init(_ reader: inout CompactReader) throws {
    var meaning = ParquetMeaning.plain
    try reader.structure { reader, id, type in
      guard type == .structure else { return false }
      switch id {
      case 1, 4: meaning = .text
      case 5:
        let (scale, precision) = try Self.pair(&reader)
        meaning = .decimal(precision: precision, scale: scale)
      case 6: meaning = .date
      case 7, 8:
        let (unit, isUTC) = try Self.moment(&reader)
        guard let unit else { return true }
        meaning = id == 7 ? .time(unit, isUTC: isUTC) : .timestamp(unit, isUTC: isUTC)
        return true
      case 10:
        let (bitWidth, isSigned) = try Self.pair(&reader)
        meaning = .integer(bitWidth: bitWidth, isSigned: isSigned != 0)
      case 12: meaning = .json
      case 14: meaning = .uuid
      default: return false
      }
      return id == 5 || id == 10
    }
    self = meaning
  }

  /// Of a structure with two numbers.
  private static func pair(_ reader: inout CompactReader) throws -> (Int, Int) {
    var pair = (0, 0)
    try reader.structure { reader, id, type in
      let value = type == .yes ? 1 : type == .no ? 0 : try reader.integer(type)
      if id == 1 { pair.0 = value } else { pair.1 = value }
      return true
    }
    return pair
  }

  private static func moment(_ reader: inout CompactReader) throws -> (ParquetTimeUnit?, Bool) {
    var result: (ParquetTimeUnit?, Bool) = (nil, true)
    try reader.structure { reader, id, type in
      switch id {
      case 1: result.1 = try reader.boolean(type)
      case 2:
        guard type == .structure else { return false }
        try reader.structure { _, unit, _ in
          result.0 = ParquetTimeUnit(rawValue: unit)
          return false
        }
      default: return false
      }
      return true
    }
    return result
  }
}

extension ParquetRowGroup {
  init(_ reader: inout CompactReader) throws {
    var group = ParquetRowGroup()
    try reader.structure { reader, id, type in
      switch id {
      case 1: try reader.list(type) { reader, _ in group.columns.append(try ParquetColumnChunk(&reader)) }
      case 3: group.rowCount = try reader.integer(type)
      case 4:
        try reader.list(type) { reader, _ in
          var sorting = ParquetSorting(column: 0)
          try reader.structure { reader, id, type in
            switch id {
            case 1: sorting.column = try reader.integer(type)
            case 2: sorting.isDescending = try reader.boolean(type)
            case 3: sorting.areNullsFirst = try reader.boolean(type)
            default: return false
            }
            return true
          }
          group.sorting.append(sorting)
        }
      default: return false
      }
      return true
    }
    self = group
  }
}

extension ParquetColumnChunk {
  init(_ reader: inout CompactReader) throws {
    let start = reader.position
    var chunk = ParquetColumnChunk()
    var offsetIndex = (offset: 0, count: 0)
    var columnIndex = (offset: 0, count: 0)
    try reader.structure { reader, id, type in
      switch id {
      case 1:
        throw VarveError(
          .unsupported, "columns stand in another file, \"\(try reader.text(type))\"",
          hint: "Read the files that hold the rows.")
      case 3:
        guard type == .structure else { return false }
        try chunk.readMetadata(&reader)
      case 4: offsetIndex.offset = try reader.integer(type)
      case 5: offsetIndex.count = try reader.integer(type)
      case 6: columnIndex.offset = try reader.integer(type)
      case 7: columnIndex.count = try reader.integer(type)
      default: return false
      }
      return true
    }
    guard reader.position - start >= ParquetMetadata.chunkByteCount else {
      throw VarveError(.corruption, "a column chunk of which nothing is said")
    }
    chunk.offsetIndex = Self.range(offsetIndex)
    chunk.columnIndex = Self.range(columnIndex)
    self = chunk
  }

  private static func range(_ place: (offset: Int, count: Int)) -> Range<Int>? {
    let (end, isBeyond) = place.offset.addingReportingOverflow(place.count)
    return place.offset > 0 && place.count > 0 && !isBeyond ? place.offset..<end : nil
  }

  private mutating func readMetadata(_ reader: inout CompactReader) throws {
    var chunk = self
    try reader.structure { reader, id, type in
      switch id {
      case 4:
        let code = try reader.integer(type)
        guard let codec = ParquetCodec(rawValue: code) else {
          throw VarveError(.unsupported, "pages packed by codec \(code), which is not known")
        }
        chunk.codec = codec
      case 5: chunk.valueCount = try reader.integer(type)
      case 6: chunk.uncompressedByteCount = try reader.integer(type)
      case 7: chunk.compressedByteCount = try reader.integer(type)
      case 9: chunk.dataOffset = try reader.integer(type)
      case 11: chunk.dictionaryOffset = try reader.integer(type)
      case 12:
        guard type == .structure else { return false }
        chunk.statistics = try ParquetStatistics(&reader)
      default: return false
      }
      return true
    }
    // Some writers put 0 where there is no dictionary.
    if chunk.dictionaryOffset == 0 { chunk.dictionaryOffset = nil }
    let start = min(chunk.dataOffset, chunk.dictionaryOffset ?? chunk.dataOffset)
    guard start >= 0, chunk.compressedByteCount >= 0, chunk.valueCount >= 0,
      !start.addingReportingOverflow(chunk.compressedByteCount).overflow
    else { throw VarveError(.corruption, "a column chunk stands nowhere in the file") }
    self = chunk
  }
}

extension ParquetStatistics {
  init(_ reader: inout CompactReader) throws {
    // Where a file does not say so, bounds are only known to lie beyond the values.
    var statistics = ParquetStatistics(isMinimumExact: false, isMaximumExact: false)
    try reader.structure { reader, id, type in
      switch id {
      case 3: statistics.nullCount = try reader.integer(type)
      case 5: statistics.maximum = try reader.binary(type)
      case 6: statistics.minimum = try reader.binary(type)
      case 7: statistics.isMaximumExact = try reader.boolean(type)
      case 8: statistics.isMinimumExact = try reader.boolean(type)
      default: return false
      }
      return true
    }
    self = statistics
  }
}
