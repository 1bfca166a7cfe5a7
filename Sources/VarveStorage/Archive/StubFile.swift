// An archived chunk as a file: whoever reads it finds the bytes of a whole chunk. Header, series pages, summaries, index
// and footer stand in the stub; other pages are made when they are asked for, in their plain form, from what the archive
// has, and held against the checksums that were taken when the chunk was archived. FORMAT.md, "Stub".

import Synchronization
import VarveCore
import VarveFormat
import VarveIO

final class StubFile: File {
  let header: StubHeader
  private let stub: any File
  private let stubByteCount: Int
  private let shared: StubMapCache
  private let archive: (any ArchiveTier)?
  private let pages = Mutex<(any ArchivedPages)?>(nil)

  /// `stub` is held open. `file`, where given, is the id that it must have.
  init(_ stub: any File, file: FileID?, _ shared: StubMapCache, _ archive: (any ArchiveTier)?) throws {
    self.stub = stub
    self.shared = shared
    self.archive = archive
    stubByteCount = try stub.byteCount()
    let bytes = try stub.read(count: StubHeader.byteCount, at: 0)
    header = try bytes.withUnsafeBytes { [stubByteCount] in
      try StubHeader.decode($0, fileByteCount: stubByteCount, file: file, place: stub.path)
    }
  }

  var path: String { stub.path }
  func byteCount() throws -> Int { header.chunkByteCount }

  /// What it took so far to make pages.
  var reads: ArchiveReads { pages.withLock { $0?.reads } ?? ArchiveReads() }

  /// Everything will be read.
  func expectAll() throws {
    if archive != nil { try source(try map()).expectAll() }
  }

  /// Where the rows are, without the pages' places, which take longer to read than everything else of it.
  func object() throws -> ArchivedObject {
    if let known = shared.known { return known.object }
    let bytes = try stub.read(count: header.mapByteCount, at: StubHeader.byteCount)
    return try bytes.withUnsafeBytes { try StubMap.object($0, header, place: path) }
  }

  func map() throws -> StubMap {
    try shared.map {
      let bytes = try stub.read(count: header.mapByteCount, at: StubHeader.byteCount)
      let map = try bytes.withUnsafeBytes { try StubMap.decode($0, header, place: path) }
      guard map.fileByteCount(header) == stubByteCount else {
        throw VarveError(.corruption, "a stub's length is not what its map says", place: path)
      }
      return map
    }
  }

  // MARK: - Reading

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    var requests = [ReadRequest(offset: offset, buffer: buffer)]
    try read(&requests)
    return requests[0].byteCount
  }

  func read(_ requests: inout [ReadRequest]) throws {
    var made: [Int: [Copy]] = [:]
    for number in requests.indices {
      let request = requests[number]
      let end = min(request.offset + request.buffer.count, header.chunkByteCount)
      requests[number].byteCount = max(0, end - request.offset)
      guard request.offset < end else { continue }
      try forEachPart(of: request.offset..<end) { range, source in
        let target = UnsafeMutableRawBufferPointer(
          rebasing: request.buffer[(range.lowerBound - request.offset)..<(range.upperBound - request.offset)])
        switch source {
        case .kept(let place): try readKept(into: target, at: place)
        case .made(let page, let first): made[page, default: []].append(Copy(first: first, target: target))
        }
      }
    }
    if !made.isEmpty { try make(made) }
  }

  /// Some bytes of a page, from the `first` on, and where they go.
  private struct Copy {
    let first: Int
    let target: UnsafeMutableRawBufferPointer
  }

  private enum Source {
    /// In the stub, from here on.
    case kept(Int)
    /// In a page of the map, from this byte on.
    case made(Int, first: Int)
  }

  /// The parts of a stretch of the chunk, in order.
  private func forEachPart(of wanted: Range<Int>, _ body: (Range<Int>, Source) throws -> Void) throws {
    func part(_ range: Range<Int>, _ source: (Int) -> Source) throws {
      let common = range.clamped(to: wanted)
      if !common.isEmpty { try body(common, source(common.lowerBound - range.lowerBound)) }
    }
    let headerPlace = StubHeader.byteCount + header.mapByteCount
    try part(0..<ChunkHeader.byteCount) { .kept(headerPlace + $0) }
    if wanted.overlaps(ChunkHeader.byteCount..<max(ChunkHeader.byteCount, header.tailOffset)) {
      let map = try self.map()
      let behind = map.rowBlocks.partitioningPlace { $0.seriesPage.offset > wanted.lowerBound }
      for block in map.rowBlocks[max(0, behind - 1)...] {
        guard block.seriesPage.offset < wanted.upperBound else { break }
        try part(block.seriesPage.range) { .kept(block.keptOffset + $0) }
        for page in block.pages { try part(map.pages[page].reference.range) { .made(page, first: $0) } }
      }
    }
    let tailPlace = stubByteCount - header.tailByteCount
    try part(header.tailOffset..<header.chunkByteCount) { .kept(tailPlace + $0) }
  }

  private func readKept(into target: UnsafeMutableRawBufferPointer, at place: Int) throws {
    guard try stub.read(into: target, at: place) == target.count else {
      throw VarveError(.corruption, "a stub ends early", place: "\(path) at \(place)")
    }
  }

  /// What is at hand of an object may be damaged where the object is not: then it is asked for once more.
  private func make(_ wanted: [Int: [Copy]]) throws {
    let map = try self.map()
    let source = try source(map)
    do { try make(wanted, map, source) } catch let error as VarveError where error.code == .corruption {
      guard source.distrust() else { throw error }
      try make(wanted, map, source)
    }
  }

  private func make(_ wanted: [Int: [Copy]], _ map: StubMap, _ source: any ArchivedPages) throws {
    let numbers = wanted.keys.sorted()
    for (number, cells) in zip(numbers, try source.make(numbers.map { map.pages[$0] })) {
      let bytes = try plainPage(cells, map.pages[number], map.object)
      for copy in wanted[number] ?? [] {
        bytes.withUnsafeBytes {
          copy.target.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: $0[copy.first..<(copy.first + copy.target.count)]))
        }
      }
    }
  }

  private func plainPage(_ cells: ObjectCells, _ page: StubMap.MadePage, _ object: ArchivedObject) throws -> [UInt8] {
    let bytes: [UInt8]? =
      switch (cells, page.type) {
      case (.times(let times), nil) where times.count == page.rowCount:
        PlainPage.encode(times: times.span, file: header.file, offset: page.reference.offset)
      case (.field(let column), let type?) where column.type == type && column.count == page.rowCount:
        try PlainPage.encode(column, file: header.file, offset: page.reference.offset).page
      default: nil
      }
    guard let bytes, bytes.count == page.reference.byteCount,
      bytes.withUnsafeBytes({ UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }) == page.checksum
    else {
      throw VarveError(
        .corruption, "an archived object is not what it was when \(path) was written",
        hint: "`varve archive verify` names all that is damaged; put the object back from a copy of the archive",
        place: archive?.address(object) ?? object.key)
    }
    return bytes
  }

  private func source(_ map: StubMap) throws -> any ArchivedPages {
    guard let archive else {
      throw VarveError(
        .unavailable, "rows are archived, and the archive is not open: \(map.object.key) is needed",
        hint: VarveError.archiveHint, place: path)
    }
    return pages.withLock { pages in
      let source = pages ?? archive.open(map.object)
      pages = source
      return source
    }
  }

  // MARK: - A stub is written whole, by `ArchiveWriter`

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws { throw Self.isReadOnly(path) }
  func sync() throws { throw Self.isReadOnly(path) }
  func truncate(to byteCount: Int) throws { throw Self.isReadOnly(path) }
  /// The stub is closed by whoever opened it, or with the last reference.
  func close() {}

  private static func isReadOnly(_ path: String) -> VarveError {
    VarveError(.readOnly, "an archived chunk is not written to", place: path)
  }
}

/// The map of a stub, decoded once for all that read it at a time.
final class StubMapCache: Sendable {
  private final class Held: Sendable {
    let map: StubMap
    init(_ map: StubMap) { self.map = map }
  }
  private let held = Mutex<Held?>(nil)

  var known: StubMap? { held.withLock { $0 }?.map }

  func map(_ read: () throws -> StubMap) throws -> StubMap {
    if let known { return known }
    let map = try read()
    held.withLock { $0 = Held(map) }
    return map
  }
}

extension PageReference {
  fileprivate var range: Range<Int> { offset..<(offset + byteCount) }
}
