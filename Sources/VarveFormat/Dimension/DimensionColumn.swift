// A column of a dimension table as files describe it. FORMAT.md, "Dimension column".
//
//   varint column id · name (prefixed) · u8 type · [numeric: varint precision, 0 for none · zigzag scale] ·
//   u8 flags (1 not null, 2 has a default value, 4 its default is the time of the commit, 8 has a value for rows
//   written before it was there) · [default value] · [value of older rows]

import VarveCore

package struct DimensionColumn: Sendable, Hashable {
  package enum Default: Sendable, Hashable {
    case value(DimensionValue)
    /// The time at which the statement's transaction began.
    case now
  }

  package let id: ColumnID
  package var name: String
  package let type: DimensionType
  package let isNotNull: Bool
  package let `default`: Default?
  /// What rows have that were written before the column was added.
  package let older: DimensionValue

  package init(
    id: ColumnID, name: String, type: DimensionType, isNotNull: Bool = false, default: Default? = nil,
    older: DimensionValue = .null
  ) {
    self.id = id
    self.name = name
    self.type = type
    self.isNotNull = isNotNull
    self.default = `default`
    self.older = older
  }
}

extension DimensionColumn {
  func append(to out: inout ByteWriter) {
    out.append(varint: UInt64(id.rawValue))
    out.append(prefixed: Array(name.utf8))
    out.append(byte: type.code)
    if case .numeric(let precision, let scale) = type {
      out.append(varint: UInt64(precision ?? 0))
      out.append(zigzag: Int64(scale))
    }
    var flags: UInt8 = isNotNull ? 1 : 0
    switch `default` {
    case .value: flags |= 2
    case .now: flags |= 4
    case nil: break
    }
    if older != .null { flags |= 8 }
    out.append(byte: flags)
    if case .value(let value) = `default` { DimensionRow.append(value, to: &out) }
    if older != .null { DimensionRow.append(older, to: &out) }
  }

  static func read(from reader: inout ByteReader) throws -> DimensionColumn {
    let id = ColumnID(rawValue: try reader.readUInt16Varint())
    let name = try CatalogChange.readName(from: &reader)
    let type = try DimensionType.read(from: &reader)
    let flags = try reader.readByte()
    guard flags < 16, flags & 6 != 6 else {
      throw VarveError(.corruption, "column \"\(name)\" has impossible flags (\(flags))")
    }
    var `default`: Default?
    if flags & 2 != 0 { `default` = .value(try DimensionRow.readValue(from: &reader)) }
    if flags & 4 != 0 { `default` = .now }
    let older = flags & 8 != 0 ? try DimensionRow.readValue(from: &reader) : .null
    if case .value(let value) = `default`, !value.fits(type) {
      throw VarveError(.corruption, "the default of column \"\(name)\" is not of its type")
    }
    guard older.fits(type), flags & 8 == 0 || older != .null else {
      throw VarveError(.corruption, "column \"\(name)\" says impossible things of older rows")
    }
    return DimensionColumn(
      id: id, name: name, type: type, isNotNull: flags & 1 != 0, default: `default`, older: older)
  }
}

extension DimensionType {
  /// As files have it: never renumber.
  fileprivate var code: UInt8 {
    switch self {
    case .boolean: 1
    case .smallint: 2
    case .integer: 3
    case .bigint: 4
    case .real: 5
    case .double: 6
    case .text: 7
    case .timestamptz: 8
    case .date: 9
    case .numeric: 10
    }
  }

  fileprivate static func read(from reader: inout ByteReader) throws -> DimensionType {
    let code = try reader.readByte()
    switch code {
    case 1: return .boolean
    case 2: return .smallint
    case 3: return .integer
    case 4: return .bigint
    case 5: return .real
    case 6: return .double
    case 7: return .text
    case 8: return .timestamptz
    case 9: return .date
    case 10:
      let precision = try reader.readUInt16Varint()
      guard let scale = Int16(exactly: try reader.readZigzag()) else {
        throw VarveError(.corruption, "a numeric column's scale is beyond 16 bits")
      }
      return .numeric(precision: precision == 0 ? nil : precision, scale: scale)
    default: throw VarveError(.corruption, "a dimension table's column has an unknown type (\(code))")
    }
  }
}
