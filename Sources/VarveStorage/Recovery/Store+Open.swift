// Opening a data directory:
//
//   lock → manifest → series file and dimension files → log replayed into the head → (now that all is known to be whole:)
//   tail made durable → leftovers swept → manifest begun anew → ready
//
// Nothing is changed before everything has been read, and each change leaves a directory that opens the same way, so
// opening can be interrupted anywhere and tried again.

import Synchronization
import VarveCore
import VarveFormat
import VarveIO

extension Store {
  package static func open(_ options: StoreOptions) throws -> Store {
    let paths = StorePaths(root: options.directory)
    if options.readOnly { return try openForReading(options, paths) }
    try prepareDirectory(options, paths)
    let lock = try options.fileSystem.lock(paths.lock, shared: false)
    do {
      return try openForWriting(options, paths, lock)
    } catch {
      lock.release()
      throw error
    }
  }

  // MARK: - For writing

  private static func openForWriting(_ options: StoreOptions, _ paths: StorePaths, _ lock: any FileLock) throws -> Store
  {
    let files = options.fileSystem
    for directory in [paths.log, paths.chunks, paths.manifests, paths.series, paths.dimensions] {
      try files.createDirectory(directory)
    }
    try files.syncDirectory(paths.root)
    guard let manifest = try ManifestReader(paths: paths, files: files) else {
      return try createStore(options, paths, lock)
    }
    var loaded = try LoadedState(options, paths, manifest.state)
    try loaded.replayLog()
    try makeTailDurable(loaded, options, paths)
    let highest = try highestFileID(paths, files)
    let ids = FileIDs(next: max(manifest.state.nextFile, FileID(rawValue: highest.rawValue + 1)))
    // A full disk must not keep a store from opening.
    let log = try ReserveFile(options, paths).lend { try resume(manifest, options, paths, ids) }
    try sweep(loaded, keepingManifest: log.state, options, paths)
    let seriesFile = try SeriesFile.resume(
      paths: paths, files: files, id: manifest.state.seriesFile, byteCount: manifest.state.seriesByteCount)
    let wal = WriteAheadLog(
      paths: paths, files: files, clock: options.clock, ids: ids, segmentByteCount: options.segmentByteCount,
      end: loaded.logEnd, segments: loaded.segments, kept: loaded.keptSegments)
    let store = loaded.makeStore(ids: ids, lock: lock, log: wal, manifest: log, seriesFile: seriesFile)
    store.reserve.restore()
    return store
  }

  private static func resume(
    _ manifest: ManifestReader, _ options: StoreOptions, _ paths: StorePaths, _ ids: FileIDs
  ) throws -> ManifestLog {
    try ManifestLog.resume(
      manifest, paths: paths, files: options.fileSystem, clock: options.clock, ids: ids,
      capacity: options.manifestByteCount)
  }

  private static func createStore(_ options: StoreOptions, _ paths: StorePaths, _ lock: any FileLock) throws -> Store {
    let files = options.fileSystem
    // Whatever lies here without a manifest is an unfinished creation: nothing can have been acknowledged before it.
    guard try files.list(paths.chunks).isEmpty, try files.list(paths.log).isEmpty,
      try files.list(paths.dimensions).isEmpty
    else {
      throw VarveError(
        .corruption, "the data directory has chunks, dimension files or log segments but no manifest",
        hint: "restore the manifest directory from a backup",
        place: paths.manifests)
    }
    for name in try files.list(paths.manifests) { try files.remove("\(paths.manifests)/\(name)") }
    for name in try files.list(paths.series) { try files.remove("\(paths.series)/\(name)") }
    // An opening that was interrupted may have made the directory and not synced its name.
    try files.syncDirectory(parent(of: paths.root))
    let ids = FileIDs(next: FileID(rawValue: 1))
    let seriesFile = try SeriesFile.create(paths: paths, files: files, clock: options.clock, id: try ids.take())
    var state = ManifestState()
    try state.apply(
      ManifestEdit(
        wallNanoseconds: options.clock.wallNanoseconds(), flushed: .zero, logStart: .origin, seriesFile: seriesFile.id,
        seriesByteCount: seriesFile.byteCount, nextFile: ids.next, nextTable: TableID(rawValue: 1)))
    let manifest = try ManifestLog.create(
      paths: paths, files: files, clock: options.clock, ids: ids, capacity: options.manifestByteCount, state: state)
    let loaded = LoadedState(empty: options, paths, state)
    let wal = WriteAheadLog(
      paths: paths, files: files, clock: options.clock, ids: ids, segmentByteCount: options.segmentByteCount,
      end: .origin, segments: [])
    let store = loaded.makeStore(ids: ids, lock: lock, log: wal, manifest: manifest, seriesFile: seriesFile)
    store.reserve.restore()
    return store
  }

  private static func prepareDirectory(_ options: StoreOptions, _ paths: StorePaths) throws {
    let files = options.fileSystem
    if try !files.exists(paths.root) {
      guard options.createIfMissing else {
        throw VarveError(
          .notFound, "there is no data directory", hint: "`varve serve --data DIR` creates one", place: paths.root)
      }
      try files.createDirectory(paths.root)
    }
    let names = try files.list(paths.root)
    let ours: Set<String> = [
      "LOCK", "RESERVE", "wal", "chunks", "manifest", "series", "dimensions", "quarantine", "archive",
    ]
    let foreign = names.filter { !ours.contains($0) && $0 != "lost+found" }
    if !foreign.isEmpty, !names.contains("manifest") {
      throw VarveError(
        .notADataDirectory,
        "the directory holds other files (\(foreign.prefix(3).joined(separator: ", "))) and is no data directory",
        hint: "choose an empty or new directory", place: paths.root)
    }
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// What the log's last segment holds may be in the page cache only, even after a sync that failed and dropped it
  /// from the list of pages to write. Written once more and synced, it can be trusted.
  private static func makeTailDurable(_ loaded: LoadedState, _ options: StoreOptions, _ paths: StorePaths) throws {
    guard let last = loaded.segments.last else { return }
    let file = try options.fileSystem.open(paths.segment(last.id), .readWrite)
    defer { file.close() }
    let length = last.end.offset
    var at = 0
    while at < length {
      let bytes = try file.read(count: min(1 << 20, length - at), at: at)
      try file.write(bytes, at: at)
      at += bytes.count
    }
    try file.sync()
  }

  /// Removes what no manifest edit and no live or kept log segment names. Only now that both were read whole.
  private static func sweep(
    _ loaded: LoadedState, keepingManifest state: ManifestState, _ options: StoreOptions, _ paths: StorePaths
  ) throws {
    let files = options.fileSystem
    let live = Set((loaded.keptSegments + loaded.segments).map(\.id))
    try sweep(paths.log, files) { name in StorePaths.id(of: name, suffix: "wal").map { live.contains($0) } ?? false }
    try sweep(paths.chunks, files) { name in
      StorePaths.id(of: name, suffix: "chunk").map { state.chunks[$0] != nil } ?? false
    }
    let dimensions = Set(state.dimensionFiles.values.map(\.file))
    try sweep(paths.dimensions, files) { name in
      StorePaths.id(of: name, suffix: "dimension").map { dimensions.contains($0) } ?? false
    }
    try sweep(paths.series, files) { name in StorePaths.id(of: name, suffix: "series") == state.seriesFile }
    try sweep(paths.manifests, files) { name in StorePaths.id(of: name, suffix: "manifest") != nil }
  }

  /// Only names that Varve makes are removed; a stranger's file is left alone.
  private static func sweep(_ directory: String, _ files: any FileSystem, keep: (String) -> Bool) throws {
    var removed = false
    for name in try files.list(directory) where !keep(name) && isOwnName(name) {
      try files.remove("\(directory)/\(name)")
      removed = true
    }
    if removed { try files.syncDirectory(directory) }
  }

  private static func isOwnName(_ name: String) -> Bool {
    let bare = name.hasSuffix(".new") ? String(name.dropLast(4)) : name
    return ["wal", "chunk", "series", "manifest", "dimension"].contains { StorePaths.id(of: bare, suffix: $0) != nil }
  }

  static func highestFileID(_ paths: StorePaths, _ files: any FileSystem) throws -> FileID {
    var highest = FileID(rawValue: 0)
    for (directory, suffix) in [
      (paths.log, "wal"), (paths.chunks, "chunk"), (paths.manifests, "manifest"), (paths.series, "series"),
      (paths.dimensions, "dimension"),
    ] {
      // A directory of an older version has no dimension files.
      guard try files.exists(directory) else { continue }
      for name in try files.list(directory) {
        let bare = name.hasSuffix(".new") ? String(name.dropLast(4)) : name
        if let id = StorePaths.id(of: bare, suffix: suffix) { highest = max(highest, id) }
      }
    }
    return highest
  }

  // MARK: - For reading

  /// Reads the directory while a server may be writing it. The server removes a file only after a manifest edit that
  /// no longer names it: a try during which the manifest changed may have met missing files, and is made again. One
  /// that meets damage is made again as long as what it meets differs: bytes that are being written differ between two
  /// looks, damage stays.
  private static func openForReading(_ options: StoreOptions, _ paths: StorePaths) throws -> Store {
    var previous: (error: String, count: Int) = ("", 0)
    for _ in 1..<1000 {
      do {
        if let store = try tryOpeningForReading(options, paths) { return store }
      } catch let error as VarveError where [.corruption, .notFound].contains(error.code) {
        previous = error.description == previous.error ? (previous.error, previous.count + 1) : (error.description, 1)
        if previous.count == 5 { throw error }
      }
    }
    throw VarveError(
      .overloaded, "the directory changes faster than it can be read",
      hint: "try again, or ask the server that writes it", place: paths.root)
  }

  /// nil when the manifest changed meanwhile.
  private static func tryOpeningForReading(_ options: StoreOptions, _ paths: StorePaths) throws -> Store? {
    let files = options.fileSystem
    guard try files.exists(paths.manifests), let manifest = try ManifestReader(paths: paths, files: files) else {
      throw VarveError(.notADataDirectory, "there is no data directory here to read", place: paths.root)
    }
    var loaded = try LoadedState(options, paths, manifest.state)
    try loaded.replayLog()
    // Held open, the chunks stay readable when the server lets go of them.
    for chunk in loaded.chunks.all { chunk.pin() }
    guard let now = try ManifestReader(paths: paths, files: files), now.file == manifest.file,
      now.edits == manifest.edits
    else { return nil }
    return loaded.makeStore(
      ids: FileIDs(next: manifest.state.nextFile), lock: nil, log: nil, manifest: nil, seriesFile: nil)
  }
}
