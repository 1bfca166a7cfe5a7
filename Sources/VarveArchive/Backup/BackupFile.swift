// A file of the store as a backup has it: pieces of at most 32 MiB, each an object. Pieces of the log are of a kind of
// their own (`LogPiece`).
//
// Files of a store never change, or only grow at their end, and no id is used twice: so a piece that a backup of the same
// store has is not sent again. A fingerprint of what the file says of itself tells it from a file of the same id in a
// store that was brought back to an earlier moment and went on from there.

import VarveCore
import VarveFormat
import VarveStorage

package struct BackupFile: Sendable, Equatable {
  package enum Kind: UInt8, Sendable, CaseIterable {
    case segment = 1
    case series = 2
    case dimension = 3
    case chunk = 4
    /// A log segment whose pieces are those of the log (`LogPiece`).
    case log = 5

    /// Files that are written once; the others grow.
    var isWhole: Bool { self == .dimension || self == .chunk }
    var isLog: Bool { self == .segment || self == .log }

    /// The folder of its objects, and what their keys end with.
    var folder: String {
      switch self {
      case .segment, .log: "wal"
      case .series: "series"
      case .dimension: "dimensions"
      case .chunk: "chunks"
      }
    }
    var suffix: String {
      switch self {
      case .segment: "wal"
      case .log: "log"
      case .series: "series"
      case .dimension: "dimension"
      case .chunk: "chunk"
      }
    }
  }

  package struct Piece: Sendable, Equatable {
    package let byteCount: Int
    /// CRC-32C of its bytes; of a piece of the log, which says that itself: 0.
    package let checksum: UInt32
    /// Of a piece of the log; else nil.
    package let log: LogPiece?
    package init(byteCount: Int, checksum: UInt32) {
      self.byteCount = byteCount
      self.checksum = checksum
      log = nil
    }
    init(_ log: LogPiece) {
      byteCount = log.byteCount
      checksum = 0
      self.log = log
    }
  }

  package static let pieceByteCount = 32 << 20
  /// How much of a file's beginning and end its fingerprint is made of: all of a header, all of a chunk's footer.
  static let headByteCount = 64
  static let tailByteCount = 96

  package let kind: Kind
  package let id: FileID
  /// What the file has in place: behind its pieces follow zeros.
  package let byteCount: Int
  package let fingerprint: UInt64
  package var pieces: [Piece]

  package init(kind: Kind, id: FileID, byteCount: Int, fingerprint: UInt64, pieces: [Piece]) {
    self.kind = kind
    self.id = id
    self.byteCount = byteCount
    self.fingerprint = fingerprint
    self.pieces = pieces
  }

  /// Bytes of all pieces.
  package var sentByteCount: Int { pieces.reduce(0) { $0 + $1.byteCount } }

  /// Whether pieces of `other` are pieces of this.
  func isSameFile(as other: BackupFile) -> Bool {
    kind == other.kind && id == other.id && fingerprint == other.fingerprint
      && (!kind.isWhole || byteCount == other.byteCount)
  }

  /// The fingerprint of a file that begins and ends so; of one that grows `tail` is empty.
  static func fingerprint(head: [UInt8], tail: [UInt8]) -> UInt64 {
    UInt64(CRC32C.checksum(head)) << 32 | UInt64(CRC32C.checksum(tail))
  }

  /// The key of the piece that begins at `offset`, within the folder of the store.
  func key(at offset: Int, byteCount: Int) -> String {
    "\(kind.folder)/\(StorePaths.digits(id))-\(hexadecimal(fingerprint))-\(offset)-\(byteCount).\(kind.suffix)"
  }

  /// The keys of all pieces, in order, with where they begin.
  var keys: [(key: String, offset: Int, piece: Piece)] {
    var offset = 0
    return pieces.map { piece in
      defer { offset += piece.byteCount }
      return (piece.log?.key ?? key(at: offset, byteCount: piece.byteCount), offset, piece)
    }
  }

  /// Where it stands in a data directory.
  func path(_ paths: StorePaths) -> String {
    switch kind {
    case .segment, .log: paths.segment(id)
    case .series: paths.seriesFile(id)
    case .dimension: paths.dimension(id)
    case .chunk: paths.chunk(id)
    }
  }
}

/// 16 digits.
func hexadecimal(_ value: UInt64) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
