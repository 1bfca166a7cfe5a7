// The first 64 bytes of a log segment, a manifest, a series file or a dimension file. FORMAT.md, "Log header".
//
//    0  u64  magic: "VARVEWAL", "VARVEMAN", "VARVESER" or "VARVEDIM"
//    8  u32  format version
//   12  u32  CRC-32C, salted with file id and offset 0: over the version (bytes 8..<12), then bytes 16..<64
//   16  u64  file id
//   24  u64  file length as preallocated (0: the file grows)
//   32  u64  wall time of creation, ns since 1970
//   40  u64×3 zero
//
// Written once, before the file gets its name or anything names the file, and never again.

import CVarve
import VarveCore

package struct LogHeader: Sendable, Equatable {
  package enum Kind: UInt64, Sendable, CaseIterable {
    case segment = 0x4C41_5745_5652_4156  // "VARVEWAL"
    case manifest = 0x4E41_4D45_5652_4156  // "VARVEMAN"
    case series = 0x5245_5345_5652_4156  // "VARVESER"
    case dimension = 0x4D49_4445_5652_4156  // "VARVEDIM"

    package var label: String {
      switch self {
      case .segment: "log segment"
      case .manifest: "manifest"
      case .series: "series file"
      case .dimension: "dimension file"
      }
    }
  }

  package static let byteCount = 64
  /// What is written; from 1 on all are read.
  package static let version: UInt32 = 6

  package let kind: Kind
  package let version: UInt32
  package let file: FileID
  package let preallocatedByteCount: Int
  package let wallNanoseconds: Int64

  package init(
    kind: Kind, version: UInt32 = LogHeader.version, file: FileID, preallocatedByteCount: Int = 0,
    wallNanoseconds: Int64
  ) {
    self.kind = kind
    self.version = version
    self.file = file
    self.preallocatedByteCount = preallocatedByteCount
    self.wallNanoseconds = wallNanoseconds
  }

  package func encoded() -> [UInt8] {
    var words = [UInt64](repeating: 0, count: 8)
    words[0] = kind.rawValue
    words[2] = file.rawValue
    words[3] = UInt64(preallocatedByteCount)
    words[4] = UInt64(bitPattern: wallNanoseconds)
    words[1] = UInt64(version)
    for i in 0..<8 { words[i] = words[i].littleEndian }
    return words.withUnsafeBytes { raw in
      var bytes = Array(raw)
      let crc = Self.checksum(raw, file: file)
      for i in 0..<4 { bytes[12 + i] = UInt8(truncatingIfNeeded: crc >> (UInt32(i) * 8)) }
      return bytes
    }
  }

  private static func checksum(_ raw: UnsafeRawBufferPointer, file: FileID) -> UInt32 {
    let salted = RecordFrame.salt(file: file, offset: 0)
    guard let base = raw.baseAddress else { return salted }
    return cvarve_crc32c(cvarve_crc32c(salted, base + 8, 4), base + 16, 48)
  }

  /// Throws `.corruption`, or `.unsupportedVersion` for a header that a newer Varve wrote. `place` names the file.
  package static func decode(_ bytes: [UInt8], expected kind: Kind, place: String) throws -> LogHeader {
    guard bytes.count >= byteCount else {
      throw VarveError(.corruption, "\(kind.label) is shorter than its header", place: place)
    }
    return try bytes.withUnsafeBytes { raw in
      func word(_ index: Int) -> UInt64 {
        UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      }
      guard word(0) == kind.rawValue else {
        throw VarveError(.corruption, "not a \(kind.label): the magic does not match", place: place)
      }
      let file = FileID(rawValue: word(2))
      let stored = UInt32(truncatingIfNeeded: word(1) >> 32)
      let crc = checksum(raw, file: file)
      let version = UInt32(truncatingIfNeeded: word(1))
      guard crc == stored else {
        throw VarveError(.corruption, "\(kind.label)'s header fails its checksum", place: place)
      }
      guard (1...Self.version).contains(version) else {
        if version > Self.version {
          throw VarveError(
            .unsupportedVersion, "\(kind.label) has format version \(version); this Varve reads up to \(Self.version)",
            hint: "open it with the newer Varve that wrote it", place: place)
        }
        throw VarveError(.corruption, "\(kind.label) has an impossible format version \(version)", place: place)
      }
      guard word(3) <= UInt64(Int.max), word(5) == 0, word(6) == 0, word(7) == 0 else {
        throw VarveError(.corruption, "\(kind.label)'s header holds impossible values", place: place)
      }
      return LogHeader(
        kind: kind, version: version, file: file, preallocatedByteCount: Int(word(3)),
        wallNanoseconds: Int64(bitPattern: word(4)))
    }
  }
}
