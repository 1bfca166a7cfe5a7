// What was fetched of objects, on disk, within a limit: the objects that were used longest ago go.
//
// A file for each object, to which what is fetched is appended as it comes:
//
//   u32 magic "VOC1" · u32 zero · u64 offset in the object · u64 length · the bytes · …
//
// The lock covers what is known of the files, never their bytes: a record's place is reserved under it, with the file open,
// the record written without it, and from then on found. Records of one file do not overlap, and a file that is removed
// while somebody writes to it takes what is written along. A record that cannot be written takes its file along, since
// whoever opens that next would end at the hole.
//
// Nothing is synced, and no checksum is kept here: whoever takes bytes from the cache holds them against those of the
// object's own pages, and asks the object again if they are not what they should be. Whatever goes wrong with the cache
// costs another request, and is said once. FORMAT.md, "The archive".

import Synchronization
import VarveCore
import VarveFormat
import VarveIO

package final class ObjectCache: Sendable {
  private static let headerByteCount = 24
  private static let magic: UInt32 = 0x3143_4F56  // "VOC1"
  /// The disk has at least so much room besides.
  private static let freeByteCount = 256 << 20

  private struct Extent {
    let range: Range<Int>
    /// Where its bytes stand in the file.
    let position: Int
  }

  private struct Entry: Sendable {
    /// By where they begin in the object; none lies within another.
    var extents: [Extent]
    /// With the places that are reserved.
    var byteCount: Int
    /// What of the object is on its way to the file.
    var begun: [Range<Int>] = []
    /// Which of the files of this name it is.
    let number: Int
    var lastUse = 0

    /// What of the file is these bytes of the object, in order; empty if not all of them are there.
    func parts(of wanted: Range<Int>) -> [Extent] {
      var parts: [Extent] = []
      var next = wanted.lowerBound
      for extent in extents where extent.range.upperBound > next {
        guard extent.range.lowerBound <= next else { return [] }
        let end = min(extent.range.upperBound, wanted.upperBound)
        parts.append(Extent(range: next..<end, position: extent.position + next - extent.range.lowerBound))
        next = end
        if next == wanted.upperBound { return parts }
      }
      return []
    }

    func hasOrBegan(_ wanted: Range<Int>) -> Bool {
      !parts(of: wanted).isEmpty || begun.contains { $0.clamped(to: wanted) == wanted }
    }

    mutating func add(_ extent: Extent) {
      extents.removeAll {
        $0.range.lowerBound >= extent.range.lowerBound && $0.range.upperBound <= extent.range.upperBound
      }
      extents.insert(extent, at: extents.firstIndex { $0.range.lowerBound > extent.range.lowerBound } ?? extents.count)
    }
  }

  private struct State: Sendable {
    var isOpen = false
    /// By file name.
    var entries: [String: Entry] = [:]
    /// Bytes of files that were there before, and were not looked into yet.
    var unread: [String: Int] = [:]
    var byteCount = 0
    var uses = 0
    var files = 0
    var hasFailed = false

    mutating func add(_ name: String, _ extents: [Extent], byteCount: Int) {
      files += 1
      var entry = Entry(extents: [], byteCount: byteCount, number: files)
      for extent in extents { entry.add(extent) }
      entries[name] = entry
    }

    /// What there is of an object, which then counts as used.
    mutating func use(_ name: String) -> Entry? {
      guard entries[name] != nil else { return nil }
      uses += 1
      entries[name]?.lastUse = uses
      return entries[name]
    }
  }

  /// Where a record goes.
  private struct Place {
    let file: any File
    /// Of the entry.
    let number: Int
    let position: Int
  }

  package let byteLimit: Int
  private let files: any FileSystem
  private let parent: String
  private let directory: String
  private let state = Mutex(State())
  private let log: @Sendable (String) -> Void

  /// In a directory of its own within `directory`, which may not be there yet.
  package init(
    files: any FileSystem, directory: String, byteLimit: Int, log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.files = files
    parent = directory
    self.directory = directory + "/cache"
    self.byteLimit = byteLimit
    self.log = log
  }

  /// Bytes on disk.
  package var byteCount: Int { state.withLock { $0.byteCount } }

  /// The piece, if it is there whole.
  func find(_ object: ArchivedObject, _ piece: ObjectPiece) -> [UInt8]? {
    let wanted = piece.offset..<(piece.offset + piece.byteCount)
    return attempt(nil) {
      let name = Self.name(object.key)
      try self.look(into: object)
      let found = try self.state.withLock { state -> (file: any File, parts: [Extent])? in
        guard let parts = state.use(name)?.parts(of: wanted), !parts.isEmpty else { return nil }
        // Opened for each: thousands of objects must not hold thousands of descriptors.
        return (try files.open("\(directory)/\(name)", .read), parts)
      }
      guard let (file, parts) = found else { return nil }
      defer { file.close() }
      var bytes: [UInt8] = []
      for part in parts { bytes += try file.read(count: part.range.count, at: part.position) }
      return bytes.count == piece.byteCount ? bytes : nil
    }
  }

  func hasAll(_ object: ArchivedObject) -> Bool {
    attempt(false) {
      try self.look(into: object)
      return self.state.withLock { state in
        !(state.use(Self.name(object.key))?.parts(of: 0..<object.byteCount).isEmpty ?? true)
      }
    }
  }

  /// Keeps what was fetched, if there is room for it.
  func keep(_ object: ArchivedObject, offset: Int, _ bytes: [UInt8]) {
    let recordByteCount = Self.headerByteCount + bytes.count
    guard !bytes.isEmpty, recordByteCount <= byteLimit / 2 else { return }
    attempt(()) {
      let name = Self.name(object.key)
      let range = offset..<(offset + bytes.count)
      try self.look(into: object)
      guard let place = try self.state.withLock({ try self.reserve(name, range, recordByteCount, &$0) }) else { return }
      defer { place.file.close() }
      do { try place.file.write(Self.record(offset, bytes), at: place.position) } catch {
        try self.state.withLock { state in
          if state.entries[name]?.number == place.number { try self.remove(name, &state) }
        }
        throw error
      }
      self.state.withLock { state in
        guard state.entries[name]?.number == place.number else { return }
        state.entries[name]?.begun.removeAll { $0 == range }
        state.entries[name]?.add(Extent(range: range, position: place.position + Self.headerByteCount))
      }
    }
  }

  private static func record(_ offset: Int, _ bytes: [UInt8]) -> [UInt8] {
    var out = ByteWriter(reserving: headerByteCount + bytes.count)
    out.append(u32: magic)
    out.append(u32: 0)
    out.append(u64: UInt64(offset))
    out.append(u64: UInt64(bytes.count))
    out.append(bytes)
    return out.bytes
  }

  /// What is there of the object goes.
  func remove(_ key: String) {
    attempt(()) {
      try self.state.withLock { state in
        try self.open(&state)
        try self.remove(Self.name(key), &state)
      }
    }
  }

  // MARK: -

  private static func name(_ key: String) -> String { String(key.map { $0 == "/" ? "_" : $0 }) }

  /// Runs `body`; what keeps it from being done is told once.
  private func attempt<T>(_ otherwise: T, _ body: () throws -> T) -> T {
    do { return try body() } catch {
      let isNews = state.withLock { state in
        defer { state.hasFailed = true }
        return !state.hasFailed
      }
      if isNews { log("the cache of archived objects is of no use: \(error)") }
      return otherwise
    }
  }

  private func open(_ state: inout State) throws {
    guard !state.isOpen else { return }
    if try files.exists(directory) {
      for name in try files.list(directory) {
        state.unread[name] = try files.byteCount("\(directory)/\(name)")
      }
    } else {
      try files.createDirectory(parent)
      try files.createDirectory(directory)
    }
    state.byteCount = state.unread.values.reduce(0, +)
    state.isOpen = true
  }

  /// Finds what an earlier process kept of the object, once.
  private func look(into object: ArchivedObject) throws {
    let name = Self.name(object.key)
    let unread = try state.withLock { state -> (file: any File, byteCount: Int)? in
      try open(&state)
      return try state.unread[name].map { (try files.open("\(directory)/\(name)", .read), $0) }
    }
    guard let (file, byteCount) = unread else { return }
    defer { file.close() }
    let (extents, end) = try Self.extents(of: file, byteCount, objectByteCount: object.byteCount)
    state.withLock { state in
      // Another thread may have been faster, or the file be gone.
      guard state.unread.removeValue(forKey: name) != nil else { return }
      // What is behind the last whole record is written over.
      state.byteCount -= byteCount - end
      state.add(name, extents, byteCount: end)
    }
  }

  /// nil if there is no room, or what is to be kept is there.
  private func reserve(
    _ name: String, _ range: Range<Int>, _ recordByteCount: Int, _ state: inout State
  ) throws -> Place? {
    if state.use(name) == nil { try begin(name, &state) }
    guard let entry = state.entries[name], !entry.hasOrBegan(range), try makeRoom(recordByteCount, for: name, &state)
    else { return nil }
    let file = try files.open("\(directory)/\(name)", .readWrite)
    state.entries[name]?.byteCount += recordByteCount
    state.entries[name]?.begun.append(range)
    state.byteCount += recordByteCount
    return Place(file: file, number: entry.number, position: entry.byteCount)
  }

  private func begin(_ name: String, _ state: inout State) throws {
    let path = "\(directory)/\(name)"
    // One whose entry was lost on the way.
    if try files.exists(path) { try files.remove(path) }
    try files.open(path, .createNew).close()
    state.add(name, [], byteCount: 0)
    _ = state.use(name)
  }

  private static func extents(of file: any File, _ byteCount: Int, objectByteCount: Int) throws -> ([Extent], end: Int)
  {
    var extents: [Extent] = []
    var position = 0
    while position + headerByteCount <= byteCount {
      var reader = ByteReader(try file.read(count: headerByteCount, at: position))
      guard try reader.readUInt32() == magic, try reader.readUInt32() == 0 else { break }
      let (offset, count) = (try reader.readUInt64(), try reader.readUInt64())
      guard offset <= UInt64(objectByteCount), count <= UInt64(objectByteCount) - offset,
        Int(count) <= byteCount - position - headerByteCount
      else { break }
      extents.append(Extent(range: Int(offset)..<Int(offset + count), position: position + headerByteCount))
      position += headerByteCount + Int(count)
    }
    return (extents, position)
  }

  /// Whether there is room now, within the limit and on the disk. `name` itself stays.
  private func makeRoom(_ wanted: Int, for name: String, _ state: inout State) throws -> Bool {
    while true {
      let free = try files.freeByteCount(directory)
      if state.byteCount + wanted <= byteLimit, free >= wanted + Self.freeByteCount { return true }
      let oldest =
        state.unread.keys.min()
        ?? state.entries.filter { $0.key != name }.min { $0.value.lastUse < $1.value.lastUse }?.key
      guard let oldest else { return false }
      try remove(oldest, &state)
    }
  }

  private func remove(_ name: String, _ state: inout State) throws {
    guard let byteCount = state.unread[name] ?? state.entries[name]?.byteCount else { return }
    try files.remove("\(directory)/\(name)")
    state.unread[name] = nil
    state.entries[name] = nil
    state.byteCount -= byteCount
  }
}
