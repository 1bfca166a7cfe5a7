// varint count, then for each: u8 tag, and
//   1 create table         varint table id, name (prefixed), varint partition width in ns
//   2 add column           varint table id, varint column id, u8 field type (0: tag), name (prefixed)
//   3 drop table           varint table id
//   4 create dimension     varint table id, name (prefixed), varint count of columns, columns, varint count of the key's
//                          columns, their ids
//   5 add its column       varint table id, column
//   6 drop column          varint table id, varint column id
//   7 rename columns       varint table id, varint count, for each: varint column id, name (prefixed)
//   8 rename tables        varint count, for each: varint table id, name (prefixed)
//   9 set rollup           varint table id, definition
//  10 set policy           varint table id, u8 kind, what it says (prefixed; empty: the policy goes)
//  11 trust clock          zigzag wall time, ns
//  12 set rollup           varint table id, definition with additions
//  13 pause job            u8 job, u8 1 paused, 0 not

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
      case .createDimension(let table, let name, let columns, let key):
        out.append(byte: 4)
        out.append(varint: UInt64(table.rawValue))
        out.append(prefixed: Array(name.utf8))
        out.append(varint: UInt64(columns.count))
        for column in columns { column.append(to: &out) }
        out.append(varint: UInt64(key.count))
        for id in key { out.append(varint: UInt64(id.rawValue)) }
      case .addDimensionColumn(let table, let column):
        out.append(byte: 5)
        out.append(varint: UInt64(table.rawValue))
        column.append(to: &out)
      case .dropColumn(let table, let column):
        out.append(byte: 6)
        out.append(varint: UInt64(table.rawValue))
        out.append(varint: UInt64(column.rawValue))
      case .renameColumns(let table, let names):
        out.append(byte: 7)
        out.append(varint: UInt64(table.rawValue))
        out.append(varint: UInt64(names.count))
        for name in names {
          out.append(varint: UInt64(name.id.rawValue))
          out.append(prefixed: Array(name.name.utf8))
        }
      case .renameTables(let names):
        out.append(byte: 8)
        out.append(varint: UInt64(names.count))
        for name in names {
          out.append(varint: UInt64(name.id.rawValue))
          out.append(prefixed: Array(name.name.utf8))
        }
      case .setRollup(let table, let definition):
        out.append(byte: definition.additions.isEmpty ? 9 : 12)
        out.append(varint: UInt64(table.rawValue))
        definition.append(to: &out)
      case .setPolicy(let table, let kind, let text):
        out.append(byte: 10)
        out.append(varint: UInt64(table.rawValue))
        out.append(byte: kind.rawValue)
        out.append(prefixed: text)
      case .trustClock(let time):
        out.append(byte: 11)
        out.append(zigzag: time)
      case .pauseJob(let job, let isPaused):
        out.append(byte: 13)
        out.append(byte: job.rawValue)
        out.append(byte: isPaused ? 1 : 0)
      }
    }
  }

  /// `version` is that of the file.
  static func read(from reader: inout ByteReader, version: UInt32) throws -> [CatalogChange] {
    var changes: [CatalogChange] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 2)) {
      let tag = try reader.readByte()
      if version >= 3, tag == 8 {
        changes.append(
          .renameTables(
            try (0..<reader.readCount(minimumByteCount: 3)).map { _ in
              let id = TableID(rawValue: try reader.readUInt32Varint())
              return TableName(id: id, name: try readName(from: &reader))
            }))
        continue
      }
      if version >= 4, tag == 11 {
        changes.append(.trustClock(try reader.readZigzag()))
        continue
      }
      if version >= 5, tag == 13 {
        let (number, flag) = (try reader.readByte(), try reader.readByte())
        guard let job = DatabaseJob(rawValue: number), job.canBePaused, flag <= 1 else {
          throw VarveError(.corruption, "a job that cannot be paused is (\(number), \(flag))")
        }
        changes.append(.pauseJob(job, flag == 1))
        continue
      }
      let table = TableID(rawValue: try reader.readUInt32Varint())
      switch tag {
      case 4...7 where version >= 3: changes.append(try readDimensionChange(tag, table, from: &reader))
      case 9 where version >= 4, 12 where version >= 5:
        changes.append(.setRollup(table, try RollupDefinition.read(from: &reader, hasAdditions: tag == 12)))
      case 10 where version >= 4:
        let kind = try reader.readByte()
        let text = Array(try reader.readPrefixed())
        guard let kind = PolicyKind(rawValue: kind), text.count <= Limits.policyByteCount else {
          throw VarveError(.corruption, "table \(table.rawValue) has an unknown policy (\(kind))")
        }
        changes.append(.setPolicy(table, kind, text))
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

  private static func readDimensionChange(_ tag: UInt8, _ table: TableID, from reader: inout ByteReader) throws
    -> CatalogChange
  {
    switch tag {
    case 4:
      let name = try readName(from: &reader)
      let columns = try (0..<reader.readCount(minimumByteCount: 5)).map { _ in try DimensionColumn.read(from: &reader) }
      let key = try (0..<reader.readCount(minimumByteCount: 1)).map { _ in
        ColumnID(rawValue: try reader.readUInt16Varint())
      }
      return .createDimension(table, name: name, columns: columns, key: key)
    case 5: return .addDimensionColumn(table, try DimensionColumn.read(from: &reader))
    case 6: return .dropColumn(table, ColumnID(rawValue: try reader.readUInt16Varint()))
    default:
      return .renameColumns(
        table,
        try (0..<reader.readCount(minimumByteCount: 3)).map { _ in
          let id = ColumnID(rawValue: try reader.readUInt16Varint())
          return ColumnName(id: id, name: try readName(from: &reader))
        })
    }
  }

  static func readName(from reader: inout ByteReader) throws -> String {
    let bytes = try reader.readPrefixed()
    guard bytes.count <= Limits.nameByteCount, let name = String(validating: bytes, as: UTF8.self), !name.isEmpty else {
      throw VarveError(.corruption, "a name is empty, too long or not UTF-8")
    }
    return name
  }
}
