// varint count, then for each: u8 tag (1 create table, 2 add column, 3 drop table), varint table id, and
//   1: name (prefixed), varint partition width in ns
//   2: varint column id, u8 field type (0: tag), name (prefixed)

import VarveCore

extension CatalogChange {
  static func append(_ changes: [CatalogChange], to out: inout ByteWriter) {
    out.append(varint: UInt64(changes.count))
    for change in changes {
      switch change {
      case .createTable(let table, let name, let width):
        out.append(byte: 1)
        out.append(varint: UInt64(table.rawValue))
        out.append(prefixed: Array(name.utf8))
        out.append(varint: UInt64(width))
      case .addColumn(let table, let column):
        out.append(byte: 2)
        out.append(varint: UInt64(table.rawValue))
        out.append(varint: UInt64(column.id.rawValue))
        out.append(byte: column.fieldType?.rawValue ?? 0)
        out.append(prefixed: Array(column.name.utf8))
      case .dropTable(let table):
        out.append(byte: 3)
        out.append(varint: UInt64(table.rawValue))
      }
    }
  }

  static func read(from reader: inout ByteReader) throws -> [CatalogChange] {
    var changes: [CatalogChange] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 2)) {
      let tag = try reader.readByte()
      let table = TableID(rawValue: try reader.readUInt32Varint())
      switch tag {
      case 1:
        let name = try readName(from: &reader)
        guard let width = Int64(exactly: try reader.readVarint()), width > 0 else {
          throw VarveError(.corruption, "table \"\(name)\" has an impossible partition width")
        }
        changes.append(.createTable(table, name: name, partitionNanoseconds: width))
      case 2:
        let id = ColumnID(rawValue: try reader.readUInt16Varint())
        let type = try reader.readByte()
        let name = try readName(from: &reader)
        guard type == 0 || FieldType(rawValue: type) != nil else {
          throw VarveError(.corruption, "column \"\(name)\" has an unknown type (\(type))")
        }
        changes.append(.addColumn(table, ColumnDefinition(id: id, name: name, fieldType: FieldType(rawValue: type))))
      case 3: changes.append(.dropTable(table))
      default: throw VarveError(.corruption, "unknown catalog change (\(tag))")
      }
    }
    return changes
  }

  private static func readName(from reader: inout ByteReader) throws -> String {
    let bytes = try reader.readPrefixed()
    guard bytes.count <= Limits.nameByteCount, let name = String(validating: bytes, as: UTF8.self), !name.isEmpty else {
      throw VarveError(.corruption, "a name is empty, too long or not UTF-8")
    }
    return name
  }
}
