// The columns of an object's file: time, tags, fields, then the remainders of times, under names that no two have.

import VarveCore

struct ObjectLayout {
  /// Where the day of an object stands in its key: the column that readers make of it.
  static let partitionName = "varve_date"

  let time = ParquetColumn("time", .int64, .timestamp(.microseconds, isUTC: true), isRequired: true)
  private(set) var tags: [ParquetColumn] = []
  private(set) var fields: [ParquetColumn] = []
  /// Of the time, and of fields that are times; nil: another type.
  private(set) var timeRemainder: ParquetColumn
  private(set) var remainders: [ParquetColumn?] = []

  init(_ schema: ObjectSchema) {
    var names: Set<Name> = [Name("time"), Name(Self.partitionName)]
    // A name that is taken goes on until it is not. Ids tell columns apart, names are for those who read along.
    func free(_ wanted: String) -> String {
      var name = wanted
      while !names.insert(Name(name)).inserted { name += "_" }
      return name
    }
    tags = schema.tags.map { ParquetColumn(free($0.name), .bytes, .text) }
    fields = schema.fields.map { Self.column(free($0.name), $0.type) }
    timeRemainder = ParquetColumn(free("time" + ParquetTimes.remainderSuffix), .int32, isRequired: true)
    remainders = fields.map { field in
      guard case .timestamp = field.meaning else { return nil }
      return ParquetColumn(free(field.name + ParquetTimes.remainderSuffix), .int32)
    }
  }

  /// How values of a field stand in a file.
  static func column(_ name: String, _ type: FieldType) -> ParquetColumn {
    switch type {
    case .float64: ParquetColumn(name, .double)
    case .int64: ParquetColumn(name, .int64)
    case .uint64: .decimal(name, precision: 20, scale: 0)
    case .bool: ParquetColumn(name, .boolean)
    case .text: ParquetColumn(name, .bytes, .text)
    case .timestamp: ParquetColumn(name, .int64, .timestamp(.microseconds, isUTC: true))
    }
  }
}
