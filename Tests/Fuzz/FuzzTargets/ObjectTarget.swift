// A page of an object whose header and checksum are made right first: what is in it is any bytes, before they are packed.
//
//   type (0: times) · encoding · rows · values of the dictionary · bytes of it · bytes of the remainder · … · the page

import VarveArchive
import VarveCore
import VarveFormat

@Sendable func fuzzObjectPage(_ bytes: [UInt8]) {
  // As it comes, too.
  attempt { _ = try ObjectReader.times([bytes], rowCount: 1) }
  guard bytes.count >= 6 else { return }
  let rowCount = Int(bytes[2])
  var rest = bytes[6...]
  let dictionaryBody = rest.prefix(Int(bytes[4]))
  rest = rest.dropFirst(dictionaryBody.count)
  let remainder = rest.prefix(Int(bytes[5]))
  rest = rest.dropFirst(remainder.count)
  var pieces = [dataPage(Array(rest), encoding: bytes[1], rowCount)]
  if !remainder.isEmpty { pieces.append(dataPage(Array(remainder), encoding: 0, rowCount)) }
  guard let type = FieldType(rawValue: bytes[0] % 7) else {
    return attempt { _ = try ObjectReader.times(pieces, rowCount: rowCount) }
  }
  attempt {
    var dictionaries: [ObjectDictionary?] = pieces.map { _ in nil }
    if !dictionaryBody.isEmpty {
      let page = dictionaryPage(Array(dictionaryBody), valueCount: Int(bytes[3]))
      dictionaries[0] = try ObjectReader.dictionary(type, piece: 0, page)
    }
    let column = try ObjectReader.field(type, pieces, dictionaries, rowCount: rowCount)
    precondition(column.count == rowCount, "a page has the rows that were asked for")
    guard type == .text else { return }
    for row in 0..<rowCount where column.state(row) == .value { _ = column.string(row) }
  }
}

private func dataPage(_ body: [UInt8], encoding: UInt8, _ rowCount: Int) -> [UInt8] {
  page(body, type: 0, [0x1C] + integer(rowCount) + integer(Int(encoding)) + integer(3) + integer(3) + [0])
}

private func dictionaryPage(_ body: [UInt8], valueCount: Int) -> [UInt8] {
  page(body, type: 2, [0x3C] + integer(valueCount) + integer(0) + [0])
}

/// A header in Thrift's compact protocol, and what stands behind it.
private func page(_ body: [UInt8], type: Int, _ kind: [UInt8]) -> [UInt8] {
  let packed = Zstd.compress(body)
  let checksum = Int(Int32(bitPattern: crc32(packed)))
  let sizes = integer(type) + integer(body.count) + integer(packed.count) + integer(checksum)
  return sizes + kind + [0] + packed
}

/// The field behind the last one.
private func integer(_ value: Int) -> [UInt8] {
  var out = ByteWriter()
  out.append(byte: 0x15)
  out.append(zigzag: Int64(value))
  return out.bytes
}

/// Zlib's, bit by bit.
private func crc32(_ bytes: [UInt8]) -> UInt32 {
  var value = UInt32.max
  for byte in bytes {
    value ^= UInt32(byte)
    for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
  }
  return ~value
}
