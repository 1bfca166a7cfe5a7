// Thrift's compact protocol, read. Total: any bytes give values or `.corruption`. What a field holds that nobody asks for
// is skipped, so that files of later versions are read as far as they are understood.

import VarveCore
import VarveFormat

struct CompactReader {
  /// Structures, lists and maps within each other that are gone through.
  private static let depthLimit = 32

  private var bytes: ByteReader
  private var depth = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = ByteReader(bytes) }

  /// Bytes read so far.
  var position: Int { bytes.position }

  /// Reads a structure. `body` gets each field's id and must take its value, or answer false to have it skipped.
  mutating func structure(_ body: (inout CompactReader, _ id: Int, CompactType) throws -> Bool) throws {
    try descend()
    var id = 0
    while true {
      let header = try bytes.readByte()
      let type = try Self.type(header & 0x0F)
      if type == .stop { break }
      if header >> 4 != 0 {
        id += Int(header >> 4)
      } else {
        id = Int(Int16(truncatingIfNeeded: try bytes.readZigzag()))
      }
      if try !body(&self, id, type) { try skip(type) }
    }
    depth -= 1
  }

  mutating func boolean(_ type: CompactType) throws -> Bool {
    guard type == .yes || type == .no else { throw Self.mismatch(type) }
    return type == .yes
  }

  mutating func integer(_ type: CompactType) throws -> Int {
    switch type {
    case .byte: return Int(Int8(bitPattern: try bytes.readByte()))
    case .int16, .int32, .int64: return Int(try bytes.readZigzag())
    default: throw Self.mismatch(type)
    }
  }

  mutating func binary(_ type: CompactType) throws -> [UInt8] {
    guard type == .binary else { throw Self.mismatch(type) }
    return try bytes.readPrefixed()
  }

  mutating func text(_ type: CompactType) throws -> String { String(decoding: try binary(type), as: UTF8.self) }

  /// Reads a list; `body` takes each element.
  mutating func list(_ type: CompactType, _ body: (inout CompactReader, CompactType) throws -> Void) throws {
    guard type == .list || type == .set else { throw Self.mismatch(type) }
    try descend()
    let (count, element) = try listHeader()
    for _ in 0..<count { try body(&self, element) }
    depth -= 1
  }

  /// Of a list of bool each element is a byte.
  mutating func booleanElement() throws -> Bool { try bytes.readByte() == CompactType.yes.rawValue }

  private mutating func listHeader() throws -> (Int, CompactType) {
    let header = try bytes.readByte()
    let type = try Self.type(header & 0x0F)
    // The least that an element takes is a byte.
    guard header >> 4 == 15 else {
      guard Int(header >> 4) <= bytes.remaining else { throw VarveError(.corruption, "a list is cut short") }
      return (Int(header >> 4), type)
    }
    return (try bytes.readCount(minimumByteCount: 1), type)
  }

  private mutating func skip(_ type: CompactType) throws {
    switch type {
    case .stop, .yes, .no: return
    case .byte: try bytes.skip(1)
    case .int16, .int32, .int64: _ = try bytes.readVarint()
    case .double: try bytes.skip(8)
    case .binary: try bytes.skip(try bytes.readLength())
    case .structure: try structure { _, _, _ in false }
    case .list, .set:
      try descend()
      let (count, element) = try listHeader()
      for _ in 0..<count { try skipElement(element) }
      depth -= 1
    case .map:
      try descend()
      let count = try bytes.readCount(minimumByteCount: 2)
      if count > 0 {
        let types = try bytes.readByte()
        let (key, value) = (try Self.type(types >> 4), try Self.type(types & 0x0F))
        for _ in 0..<count {
          try skipElement(key)
          try skipElement(value)
        }
      }
      depth -= 1
    }
  }

  private mutating func skipElement(_ type: CompactType) throws {
    type == .yes || type == .no ? try bytes.skip(1) : try skip(type)
  }

  private mutating func descend() throws {
    depth += 1
    guard depth <= Self.depthLimit else { throw VarveError(.corruption, "structures nest too deep") }
  }

  private static func type(_ code: UInt8) throws -> CompactType {
    guard let type = CompactType(rawValue: code) else {
      throw VarveError(.corruption, "\(code) is no type of a field")
    }
    return type
  }

  private static func mismatch(_ type: CompactType) -> VarveError {
    VarveError(.corruption, "a field has another type than expected (\(type))")
  }
}
