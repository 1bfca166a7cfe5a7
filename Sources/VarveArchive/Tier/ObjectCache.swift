// What was fetched of objects, on disk, within a limit: the objects that were used longest ago go.
//
// A file for each object, to which what is fetched is appended as it comes:
//
//   u32 magic "VOC1" · u32 zero · u64 offset in the object · u64 length · the bytes · …
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
    var byteCount: Int
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
    var hasFailed = false
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
      let parts = try self.state.withLock { state -> [Extent] in
        guard try self.use(object, &state) else { return [] }
        return state.entries[name]?.parts(of: wanted) ?? []
      }
      guard !parts.isEmpty else { return nil }
      // Opened for each: thousands of objects must not hold thousands of descriptors.
      let file = try files.open("\(directory)/\(name)", .read)
      defer { file.close() }
      var bytes: [UInt8] = []
      for part in parts { bytes += try file.read(count: part.range.count, at: part.position) }
      return bytes.count == piece.byteCount ? bytes : nil
    }
  }

  func hasAll(_ object: ArchivedObject) -> Bool {
    attempt(false) {
      try self.state.withLock { state in
        guard try self.use(object, &state) else { return false }
        return !(state.entries[Self.name(object.key)]?.parts(of: 0..<object.byteCount).isEmpty ?? true)
      }
    }
  }

  /// Keeps what was fetched, if there is room for it.
  func keep(_ object: ArchivedObject, offset: Int, _ bytes: [UInt8]) {
    let recordByteCount = Self.headerByteCount + bytes.count
    guard !bytes.isEmpty, recordByteCount <= byteLimit / 2 else { return }
    attempt(()) {
      // Appending under the lock keeps records whole; the system's own cache takes them at once.
      try self.state.withLock { state in
        let name = Self.name(object.key)
        if try !self.use(object, &state) { try self.begin(name, &state) }
        let range = offset..<(offset + bytes.count)
        guard state.entries[name]?.parts(of: range).isEmpty ?? true,
          try self.makeRoom(recordByteCount, for: name, &state), var entry = state.entries[name]
        else { return }
        var out = ByteWriter(reserving: recordByteCount)
        out.append(u32: Self.magic)
        out.append(u32: 0)
        out.append(u64: UInt64(offset))
        out.append(u64: UInt64(bytes.count))
        out.append(bytes)
        let file = try self.files.open("\(self.directory)/\(name)", .readWrite)
        defer { file.close() }
        try file.write(out.bytes, at: entry.byteCount)
        entry.add(Extent(range: range, position: entry.byteCount + Self.headerByteCount))
        entry.byteCount += recordByteCount
        state.byteCount += recordByteCount
        state.entries[name] = entry
      }
    }
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

  /// Whether there is an entry of the object, which then counts as used.
  private func use(_ object: ArchivedObject, _ state: inout State) throws -> Bool {
    try open(&state)
    let name = Self.name(object.key)
    if let byteCount = state.unread[name] {
      let file = try files.open("\(directory)/\(name)", .read)
      defer { file.close() }
      let (extents, end) = try Self.extents(of: file, byteCount, objectByteCount: object.byteCount)
      // What is behind the last whole record is written over.
      state.unread[name] = nil
      state.byteCount -= byteCount - end
      var entry = Entry(extents: [], byteCount: end)
      for extent in extents { entry.add(extent) }
      state.entries[name] = entry
    }
    guard state.entries[name] != nil else { return false }
    state.uses += 1
    state.entries[name]?.lastUse = state.uses
    return true
  }

  private func begin(_ name: String, _ state: inout State) throws {
    let path = "\(directory)/\(name)"
    // One whose entry was lost on the way.
    if try files.exists(path) { try files.remove(path) }
    try files.open(path, .createNew).close()
    state.uses += 1
    state.entries[name] = Entry(extents: [], byteCount: 0, lastUse: state.uses)
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
