// What was fetched of objects, on disk, within a limit: the objects that were used longest ago go.
//
// A file for each object, to which what is fetched is appended as it comes:
//
//   u32 magic "VOC1" · u32 zero · u64 offset in the object · u64 length · the bytes · …
//
// Nothing is synced, and no checksum is kept here: whoever takes bytes from the cache holds them against those of the
// object's own pages, and asks the object again if they are not what they should be. Whatever goes wrong with the cache
// costs another request, and is said once. FORMAT.md, "Object cache".

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
    /// In the file.
    let position: Int
  }

  private struct Entry: Sendable {
    var file: any File
    var extents: [Extent]
    var byteCount: Int
    var lastUse = 0
  }

  private struct State: Sendable {
    var isOpen = false
    /// By file name; nil: it is there from before, and was not looked into yet.
    var entries: [String: Entry] = [:]
    /// Bytes of files that were there before.
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
      let place = try self.state.withLock { state -> (file: any File, position: Int)? in
        guard let name = try self.use(object, &state), let entry = state.entries[name],
          let extent = entry.extents.first(where: {
            $0.range.lowerBound <= wanted.lowerBound && $0.range.upperBound >= wanted.upperBound
          })
        else { return nil }
        return (entry.file, extent.position + wanted.lowerBound - extent.range.lowerBound)
      }
      guard let place else { return nil }
      let bytes = try place.file.read(count: piece.byteCount, at: place.position)
      return bytes.count == piece.byteCount ? bytes : nil
    }
  }

  func hasAll(_ object: ArchivedObject) -> Bool {
    attempt(false) {
      try self.state.withLock { state in
        guard let name = try self.use(object, &state) else { return false }
        return state.entries[name]?.extents.contains { $0.range == 0..<object.byteCount } ?? false
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
        let name = try self.use(object, &state) ?? self.begin(object, &state)
        guard try self.makeRoom(recordByteCount, for: name, &state) else { return }
        guard var entry = state.entries[name] else { return }
        var out = ByteWriter(reserving: recordByteCount)
        out.append(u32: Self.magic)
        out.append(u32: 0)
        out.append(u64: UInt64(offset))
        out.append(u64: UInt64(bytes.count))
        out.append(bytes)
        try entry.file.write(out.bytes, at: entry.byteCount)
        entry.extents.append(
          Extent(range: offset..<(offset + bytes.count), position: entry.byteCount + Self.headerByteCount))
        entry.byteCount += recordByteCount
        state.byteCount += recordByteCount
        state.entries[name] = entry
      }
    }
  }

  /// What is there of the object goes.
  func remove(_ object: ArchivedObject) {
    attempt(()) {
      try self.state.withLock { state in
        try self.open(&state)
        try self.remove(Self.name(object), &state)
      }
    }
  }

  // MARK: -

  private static func name(_ object: ArchivedObject) -> String {
    String(object.key.map { $0 == "/" ? "_" : $0 })
  }

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

  /// The name of the object's entry, which counts as used; nil if there is none.
  private func use(_ object: ArchivedObject, _ state: inout State) throws -> String? {
    try open(&state)
    let name = Self.name(object)
    if let byteCount = state.unread.removeValue(forKey: name) {
      let file = try files.open("\(directory)/\(name)", .readWrite)
      let (extents, end) = try Self.extents(of: file, byteCount, objectByteCount: object.byteCount)
      // What is behind the last whole record is written over.
      state.byteCount -= byteCount - end
      state.entries[name] = Entry(file: file, extents: extents, byteCount: end)
    }
    guard state.entries[name] != nil else { return nil }
    state.uses += 1
    state.entries[name]?.lastUse = state.uses
    return name
  }

  private func begin(_ object: ArchivedObject, _ state: inout State) throws -> String {
    let name = Self.name(object)
    state.uses += 1
    state.entries[name] = Entry(
      file: try files.open("\(directory)/\(name)", .createNew), extents: [], byteCount: 0, lastUse: state.uses)
    return name
  }

  private static func extents(of file: any File, _ byteCount: Int, objectByteCount: Int) throws -> ([Extent], end: Int) {
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

  /// Whether there is room now. `name` itself stays, unless nothing else is left to go.
  private func makeRoom(_ wanted: Int, for name: String, _ state: inout State) throws -> Bool {
    while state.byteCount + wanted > byteLimit {
      let oldest =
        state.unread.keys.min()
        ?? state.entries.filter { $0.key != name }.min { $0.value.lastUse < $1.value.lastUse }?.key
      guard let oldest else { return false }
      try remove(oldest, &state)
    }
    return try files.freeByteCount(directory) >= wanted + Self.freeByteCount
  }

  private func remove(_ name: String, _ state: inout State) throws {
    if let byteCount = state.unread.removeValue(forKey: name) {
      state.byteCount -= byteCount
    } else if let entry = state.entries.removeValue(forKey: name) {
      state.byteCount -= entry.byteCount
    } else {
      return
    }
    try files.remove("\(directory)/\(name)")
  }
}
