// The log of a store as far as a place has it: pieces that its backups and the shipping of its log have sent, and which of
// them lead on from a backup without a gap.
//
//   backup ──▶ its log's end ──▶ piece ──▶ piece ──▶ … the next segment's first piece ──▶ …
//
// Commits are numbered without gaps, so a segment that begins with the commit behind the last one goes on where the one
// before it ended; that its begin frame says the same is looked at when it is read.

import VarveCore
import VarveFormat
import VarveStorage

/// Pieces that lead on from some place in the log, in order. The first may begin before it; they may overlap.
package struct LogChain: Sendable, Equatable {
  package internal(set) var pieces: [LogPiece] = []
  package internal(set) var end: LogPosition
  package internal(set) var last: Sequence

  /// Bytes of the log that they stand for.
  package var byteCount: Int { pieces.reduce(0) { $0 + $1.byteCount } }
}

package struct PlacedLog: Sendable {
  /// By segment; those of one by where they begin, the longest of several first.
  private var pieces: [FileID: [LogPiece]] = [:]
  private var segments: [FileID] = []

  package init(_ pieces: [LogPiece]) {
    self.pieces = Dictionary(grouping: pieces, by: \.segment).mapValues { pieces in
      pieces.sorted { ($0.offset, -$0.byteCount) < ($1.offset, -$1.byteCount) }
    }
    segments = self.pieces.keys.sorted()
  }

  /// All that the place has of the store's log: one list.
  package init(of store: StoreIdentity, in place: BackupPlace) throws {
    let folder = BackupPlace.folder(store)
    self.init(
      try place.objects.list("\(folder)\(LogPiece.folder)/").compactMap { entry in
        LogPiece(key: String(entry.key.dropFirst(folder.count)))
      })
  }

  package var all: [LogPiece] { segments.flatMap { pieces[$0] ?? [] } }

  /// The one that ends furthest behind.
  package var furthest: LogPiece? { segments.last.flatMap { pieces[$0]?.max { $0.end < $1.end } } }

  package func furthest(before segment: FileID) -> LogPiece? {
    segments.last { $0 < segment }.flatMap { pieces[$0]?.max { $0.end < $1.end } }
  }

  /// How far pieces of a segment go on from an offset without a hole; nil: there is none. `last`: of the commits before it.
  func covering(_ segment: FileID, _ fingerprint: UInt64, from offset: Int, behind last: Sequence?)
    -> (end: LogPosition, last: Sequence)?
  {
    var found: LogPiece?
    var position = LogPosition(file: segment, offset: offset)
    while let next = next(in: position, fingerprint) {
      found = next
      position = next.end
    }
    return found.map { ($0.end, max($0.last, last ?? .zero)) }
  }

  /// Pieces that make up the beginning of a segment exactly, as far as they go and no further than `limit`.
  func beginning(of segment: FileID, _ fingerprint: UInt64, upTo limit: Int) -> [LogPiece] {
    var found: [LogPiece] = []
    var offset = 0
    while let next = pieces[segment]?.first(where: {
      $0.offset == offset && $0.fingerprint == fingerprint && $0.offset + $0.byteCount <= limit
    }) {
      found.append(next)
      offset += next.byteCount
    }
    return found
  }

  /// What leads on from where a backup's log ends.
  package func chain(behind manifest: BackupManifest) -> LogChain {
    chain(from: manifest.logEnd, behind: manifest.sequence, manifest.files.last { $0.kind.isLog }?.fingerprint)
  }

  /// What leads on from `start`, behind commit `last`. `fingerprint`: of the segment of `start`, if it is there.
  func chain(from start: LogPosition, behind last: Sequence, _ fingerprint: UInt64?) -> LogChain {
    var chain = LogChain(end: start, last: last)
    var fingerprint = fingerprint
    while true {
      if let fingerprint, let next = next(in: chain.end, fingerprint) {
        chain.append(next)
      } else if let next = first(behind: chain.end.file, chain.last) {
        fingerprint = next.fingerprint
        chain.append(next)
      } else {
        return chain
      }
    }
  }

  /// Of those that cover the position, the one that reaches furthest.
  private func next(in position: LogPosition, _ fingerprint: UInt64) -> LogPiece? {
    pieces[position.file]?.filter {
      $0.fingerprint == fingerprint && $0.offset <= position.offset && position < $0.end
    }.max { $0.end < $1.end }
  }

  /// The first piece of the next segment that there is one of, if it begins behind commit `last`.
  private func first(behind file: FileID, _ last: Sequence) -> LogPiece? {
    guard let segment = segments.first(where: { $0 > file && pieces[$0]?.first?.offset == 0 }) else { return nil }
    return pieces[segment]?.first { $0.offset == 0 && $0.previous == last }
  }
}

extension LogChain {
  fileprivate mutating func append(_ piece: LogPiece) {
    pieces.append(piece)
    end = piece.end
    last = max(last, piece.last)
  }

  /// Without the pieces that hold nothing of commits up to `limit`.
  package func cut(behind limit: Sequence) -> LogChain {
    var cut = self
    cut.pieces = pieces.filter { $0.previous < limit }
    if let newest = cut.pieces.last { (cut.end, cut.last) = (newest.end, newest.last) }
    return cut
  }
}
