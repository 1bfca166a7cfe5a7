// Pages of one object for one reader: what they are made of is taken from the cache on disk, and the rest fetched in as few
// requests as are worth while, at the same time.

import Synchronization
import VarveCore
import VarveFormat
import VarveStorage

final class ParquetPages: ArchivedPages {
  /// So much between two pieces is fetched along, if it is no more than they are: another request takes longer.
  private static let gapByteCount = 32 << 10
  /// Nor more in one request: several come in parallel.
  private static let requestByteCount = 8 << 20

  private let object: ArchivedObject
  private let objects: any ObjectStore
  private let cache: ObjectCache?

  private struct State {
    var reads = ArchiveReads()
    var dictionaries: [ObjectPiece: ObjectDictionary] = [:]
  }
  private let state = Mutex(State())

  init(_ object: ArchivedObject, _ objects: any ObjectStore, _ cache: ObjectCache?) {
    self.object = object
    self.objects = objects
    self.cache = cache
  }

  var reads: ArchiveReads { state.withLock { $0.reads } }

  func distrust() -> Bool {
    guard let cache, state.withLock({ $0.reads.cachedByteCount }) > 0 else { return false }
    cache.remove(object.key)
    state.withLock { $0.dictionaries = [:] }
    return true
  }

  func make(_ pages: [StubMap.MadePage]) throws -> [ObjectCells] {
    let known = state.withLock { $0.dictionaries }
    var wanted = Set<ObjectPiece>()
    for page in pages {
      wanted.formUnion(page.source.pieces)
      for case let dictionary? in page.source.dictionaries where known[dictionary] == nil { wanted.insert(dictionary) }
    }
    let bytes = try fetch(wanted.sorted { $0.offset < $1.offset })
    var dictionaries = known
    let made = try pages.map { page in try cells(page, bytes, &dictionaries) }
    // Those of other row groups are not asked for again.
    let used = Set(pages.flatMap { $0.source.dictionaries.compactMap { $0 } })
    let kept = dictionaries.filter { used.contains($0.key) }
    state.withLock { $0.dictionaries = kept }
    return made
  }

  func expectAll() throws {
    guard let cache, object.byteCount <= cache.byteLimit / 2, !cache.hasAll(object) else { return }
    for start in stride(from: 0, to: object.byteCount, by: Self.requestByteCount) {
      _ = try fetch([
        ObjectPiece(offset: start, byteCount: min(Self.requestByteCount, object.byteCount - start))
      ])
    }
  }

  private func cells(
    _ page: StubMap.MadePage, _ bytes: [ObjectPiece: [UInt8]], _ dictionaries: inout [ObjectPiece: ObjectDictionary]
  ) throws -> ObjectCells {
    do {
      let pieces = page.source.pieces.map { bytes[$0] ?? [] }
      guard let type = page.type else { return .times(try ObjectReader.times(pieces, rowCount: page.rowCount)) }
      var used: [ObjectDictionary?] = []
      for (number, place) in page.source.dictionaries.enumerated() {
        guard let place else {
          used.append(nil)
          continue
        }
        let dictionary =
          try dictionaries[place] ?? ObjectReader.dictionary(type, piece: number, bytes[place] ?? [])
        dictionaries[place] = dictionary
        used.append(dictionary)
      }
      return .field(try ObjectReader.field(type, pieces, used, rowCount: page.rowCount))
    } catch var error as VarveError {
      if error.place == nil {
        error.place = objects.address(object.key)
        error.hint = error.hint ?? "`varve archive verify` names all that is damaged"
      }
      throw error
    }
  }

  // MARK: - Fetching

  /// The bytes of pieces, which stand in order.
  private func fetch(_ pieces: [ObjectPiece]) throws -> [ObjectPiece: [UInt8]] {
    var found: [ObjectPiece: [UInt8]] = [:]
    var missing: [ObjectPiece] = []
    for piece in pieces {
      if let bytes = cache?.find(object, piece) { found[piece] = bytes } else { missing.append(piece) }
    }
    let cachedByteCount = found.values.reduce(0) { $0 + $1.count }
    let ranges = Self.ranges(of: missing)
    var requests: [ObjectRange] = []
    for range in ranges {
      for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.requestByteCount) {
        requests.append(
          ObjectRange(key: object.key, range: start..<min(start + Self.requestByteCount, range.upperBound)))
      }
    }
    let answers = requests.isEmpty ? [] : try get(requests)
    let fetched = zip(requests, answers)
    for (request, bytes) in fetched { cache?.keep(object, offset: request.range.lowerBound, bytes) }
    for piece in missing { found[piece] = Self.bytes(of: piece, fetched) }
    let received = answers.reduce(0) { $0 + $1.count }
    state.withLock { state in
      state.reads.objects = 1
      state.reads.requests += requests.count
      state.reads.byteCount += received
      state.reads.cachedByteCount += cachedByteCount
    }
    return found
  }

  private func get(_ requests: [ObjectRange]) throws -> [[UInt8]] {
    let answers: [[UInt8]]
    do { answers = try getWherever(requests) } catch let error as VarveError where error.code == .notFound {
      throw VarveError(
        .gone, "an object of the archive is not there",
        hint: "name the archive that the chunk was moved to, or put the object back from a copy",
        place: objects.address(object.key), sqlState: "58000")
    }
    for (request, bytes) in zip(requests, answers) where bytes.count != request.range.count {
      throw VarveError(
        .corruption,
        "an object of the archive ends at byte \(request.range.lowerBound + bytes.count), and has \(object.byteCount)",
        hint: "put it back from a copy of the archive", place: objects.address(object.key))
    }
    return answers
  }

  /// A snapshot, or a directory that was restored from a backup, may need what its archive needs no more.
  private func getWherever(_ requests: [ObjectRange]) throws -> [[UInt8]] {
    do { return try objects.get(requests) } catch let error as VarveError where error.code == .notFound {
      let key = ArchiveKeys.unneeded(object.key)
      return try objects.get(requests.map { ObjectRange(key: key, range: $0.range) })
    }
  }

  /// What to ask for: near pieces at once.
  static func ranges(of pieces: [ObjectPiece]) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var lastByteCount = 0
    for piece in pieces {
      let end = piece.offset + piece.byteCount
      if let last = ranges.last, piece.offset - last.upperBound <= min(gapByteCount, lastByteCount + piece.byteCount) {
        ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, end)
      } else {
        ranges.append(piece.offset..<end)
      }
      lastByteCount = piece.byteCount
    }
    return ranges
  }

  /// A piece may have come in several answers.
  private static func bytes(of piece: ObjectPiece, _ fetched: Zip2Sequence<[ObjectRange], [[UInt8]]>) -> [UInt8] {
    let wanted = piece.offset..<(piece.offset + piece.byteCount)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(piece.byteCount)
    for (request, answer) in fetched {
      let common = request.range.clamped(to: wanted)
      guard !common.isEmpty else { continue }
      let start = common.lowerBound - request.range.lowerBound
      bytes += answer[start..<(start + common.count)]
    }
    return bytes
  }
}
