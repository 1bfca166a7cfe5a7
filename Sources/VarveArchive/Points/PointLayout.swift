// How the columns of a Parquet file become time, tags and fields of a series table: found out once a file.

import VarveCore

package struct ParquetPointOptions: Sendable {
  package var table: String
  /// nil: the column that is called time, timestamp or ts.
  package var timeColumn: String?
  package var tagColumns: [String] = []
  /// Of a time column of whole numbers.
  package var wholeTimeNanoseconds: Int64 = 1
  package init(table: String) { self.table = table }
}

/// What a column's words have to go through to be words of a field.
enum PointConversion: Equatable {
  case none
  case single
  /// The low 32 bits.
  case unsigned32
  /// Whole units of a time; what lies beyond 64 bits of nanoseconds is refused.
  case scaled(Int64)
  /// A number of any width, most significant byte first.
  case decimal(scale: Int)
  /// Its sixteen bytes as text.
  case uuid
}

struct PointColumn {
  var name: String
  /// Place in the file.
  var place: Int
  var type: FieldType
  var conversion: PointConversion
  /// Of a time: the place of the nanoseconds that its microseconds leave.
  var remainder: Int?
}

struct PointLayout {
  var time: PointColumn
  /// In order of their names' bytes.
  var tags: [PointColumn] = []
  var fields: [PointColumn] = []

  /// Throws what the file lacks, or has and cannot be taken, by name.
  init(_ columns: [ParquetColumn], _ options: ParquetPointOptions) throws {
    try Self.check(columns)
    let place = try Self.timePlace(columns, options.timeColumn)
    let column = columns[place]
    time = PointColumn(
      name: column.name, place: place, type: .timestamp,
      conversion: try Self.timeConversion(column, whole: options.wholeTimeNanoseconds))
    let remainders = Self.remainders(columns)
    time.remainder = remainders[place]
    let taken = Set(remainders.values).union([place])
    for wanted in options.tagColumns {
      guard let index = columns.firstIndex(where: { $0.name == wanted }), !taken.contains(index),
        !tags.contains(where: { $0.place == index })
      else {
        throw VarveError(.notFound, "the file has no column '\(wanted)' that can be a tag", hint: "--tags")
      }
      let tag = try Self.column(columns[index], index)
      guard tag.type == .text || tag.type == .bool || (tag.type == .int64 && tag.conversion == .none) else {
        throw VarveError(
          .typeConflict, "column '\(wanted)' is no tag: tags are text, whole numbers or booleans",
          hint: "--tags names other columns")
      }
      tags.append(tag)
    }
    guard tags.count <= Limits.tagsPerSeries else {
      throw VarveError(.limitExceeded, "a row has at most \(Limits.tagsPerSeries) tags")
    }
    tags.sort { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
    for (index, column) in columns.enumerated()
    where !taken.contains(index) && !tags.contains(where: { $0.place == index }) {
      var field = try Self.column(column, index)
      field.remainder = remainders[index]
      fields.append(field)
    }
    guard !fields.isEmpty else {
      throw VarveError(.invalidArgument, "the file has no column beside the time and tags", hint: "--tags names fewer")
    }
  }

  /// Of times in microseconds: the places of what these leave, where the file has it.
  private static func remainders(_ columns: [ParquetColumn]) -> [Int: Int] {
    var places: [Int: Int] = [:]
    for (index, column) in columns.enumerated() {
      guard case .timestamp(.microseconds, _) = column.meaning else { continue }
      let name = column.name + ParquetTimes.remainderSuffix
      if let place = columns.firstIndex(where: { $0.name == name && $0.type == .int32 }) { places[index] = place }
    }
    return places
  }

  private static func check(_ columns: [ParquetColumn]) throws {
    var names = Set<Name>()
    for column in columns {
      guard !column.name.isEmpty, column.name.utf8.count <= Limits.nameByteCount else {
        throw VarveError(
          .nameTooLong, "column '\(column.name)': names have 1 to \(Limits.nameByteCount) bytes")
      }
      guard names.insert(Name(column.name)).inserted else {
        throw VarveError(.invalidArgument, "the file has column '\(column.name)' twice")
      }
    }
    guard columns.count <= Limits.columnsPerTable else {
      throw VarveError(.limitExceeded, "the file has more than \(Limits.columnsPerTable) columns")
    }
  }

  private static func timePlace(_ columns: [ParquetColumn], _ wanted: String?) throws -> Int {
    let names = ["time", "timestamp", "ts"]
    let place = columns.firstIndex { wanted == nil ? names.contains($0.name.lowercased()) : $0.name == wanted }
    guard let place else {
      throw VarveError(
        .notFound, "the file has no column \(wanted.map { "'\($0)'" } ?? "'time', 'timestamp' or 'ts'")",
        hint: "--time-column names the time")
    }
    return place
  }

  private static func timeConversion(_ column: ParquetColumn, whole: Int64) throws -> PointConversion {
    switch (column.meaning, column.type) {
    case (.timestamp(let unit, _), _): return .scaled(unit.nanoseconds)
    case (.date, _): return .scaled(86_400_000_000_000)
    case (.plain, .int64), (.plain, .int32), (.integer(_, isSigned: true), _): return .scaled(whole)
    default:
      throw VarveError(
        .typeConflict, "column '\(column.name)' is no time: times are TIMESTAMP, DATE, INT96 or whole numbers",
        hint: "--time-column names another")
    }
  }

  private static func column(_ column: ParquetColumn, _ place: Int) throws -> PointColumn {
    let (type, conversion) = try field(column)
    return PointColumn(name: column.name, place: place, type: type, conversion: conversion)
  }

  private static func field(_ column: ParquetColumn) throws -> (FieldType, PointConversion) {
    switch (column.meaning, column.type) {
    case (.timestamp(let unit, _), _): return (.timestamp, .scaled(unit.nanoseconds))
    case (.date, _): return (.timestamp, .scaled(86_400_000_000_000))
    case (.decimal(20, 0), .fixedBytes), (.decimal(20, 0), .bytes): return (.uint64, .decimal(scale: 0))
    case (.decimal(_, let scale), _): return (.float64, .decimal(scale: scale))
    case (.uuid, _): return (.text, .uuid)
    case (.integer(64, isSigned: false), _): return (.uint64, .none)
    case (.integer(_, isSigned: false), _): return (.int64, .unsigned32)
    case (.time, _): break
    case (_, .boolean): return (.bool, .none)
    case (_, .int32), (_, .int64): return (.int64, .none)
    case (_, .float): return (.float64, .single)
    case (_, .double): return (.float64, .none)
    case (_, .bytes): return (.text, .none)
    case (_, .fixedBytes), (_, .int96): break
    }
    throw VarveError(
      .unsupported, "column '\(column.name)' is of a type that is not loaded: \(column.type), \(column.meaning)",
      hint: "Write the file without it, or as text or a number.")
  }
}
