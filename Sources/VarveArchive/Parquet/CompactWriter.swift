// Thrift's compact protocol, written: what Parquet keeps its page headers, indexes and footer in
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). Fields are written in ascending
// order of their ids; optional ones that have no value are left out.

import VarveFormat

enum CompactType: UInt8 {
  case stop = 0
  case yes = 1
  case no = 2
  case byte = 3
  case int16 = 4
  case int32 = 5
  case int64 = 6
  case double = 7
  case binary = 8
  case list = 9
  case set = 10
  case map = 11
  case structure = 12
}

struct CompactWriter {
  private(set) var out = ByteWriter()
  /// The id of the last field of each structure that is open.
  private var lastIDs = [0]

  var bytes: [UInt8] { out.bytes }

  private mutating func begin(_ id: Int, _ type: CompactType) {
    let last = lastIDs[lastIDs.count - 1]
    precondition(id > last, "fields are written in order of their ids")
    if id - last <= 15 {
      out.append(byte: UInt8(id - last) << 4 | type.rawValue)
    } else {
      out.append(byte: type.rawValue)
      out.append(zigzag: Int64(id))
    }
    lastIDs[lastIDs.count - 1] = id
  }

  mutating func field(_ id: Int, int16 value: Int) { integer(id, .int16, value) }
  mutating func field(_ id: Int, int32 value: Int) { integer(id, .int32, value) }
  mutating func field(_ id: Int, int64 value: Int) { integer(id, .int64, value) }

  private mutating func integer(_ id: Int, _ type: CompactType, _ value: Int) {
    begin(id, type)
    out.append(zigzag: Int64(value))
  }

  mutating func field(_ id: Int, byte value: UInt8) {
    begin(id, .byte)
    out.append(byte: value)
  }

  mutating func field(_ id: Int, bool value: Bool) { begin(id, value ? .yes : .no) }

  mutating func field(_ id: Int, binary value: [UInt8]) {
    begin(id, .binary)
    out.append(prefixed: value)
  }

  mutating func field(_ id: Int, text value: String) { field(id, binary: Array(value.utf8)) }

  mutating func field(_ id: Int, _ body: (inout CompactWriter) -> Void) {
    begin(id, .structure)
    element(body)
  }

  /// A list whose elements `body` writes, `count` of them.
  mutating func field(_ id: Int, list count: Int, of type: CompactType, _ body: (inout CompactWriter) -> Void) {
    begin(id, .list)
    if count < 15 {
      out.append(byte: UInt8(count) << 4 | type.rawValue)
    } else {
      out.append(byte: 0xF0 | type.rawValue)
      out.append(varint: UInt64(count))
    }
    body(&self)
  }

  // MARK: Elements of lists, and the outermost structure

  mutating func element(_ body: (inout CompactWriter) -> Void) {
    lastIDs.append(0)
    body(&self)
    out.append(byte: CompactType.stop.rawValue)
    lastIDs.removeLast()
  }

  mutating func element(integer value: Int) { out.append(zigzag: Int64(value)) }
  mutating func element(binary value: [UInt8]) { out.append(prefixed: value) }
  mutating func element(bool value: Bool) { out.append(byte: (value ? CompactType.yes : .no).rawValue) }
}
