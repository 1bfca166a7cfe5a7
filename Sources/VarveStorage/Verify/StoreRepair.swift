// Gives up what is damaged so that the rest can be used: the only place where a live file is let go of without its rows
// being kept elsewhere, and only because somebody asked for it.
//
//   lock → manifest and series file, strictly → every chunk, dimension file and the log checked → (if anything is damaged:)
//   what will be done, written to quarantine/repair.pending → rows before the log's damage to chunks, manifest edits →
//   files renamed into quarantine/ → repair.pending kept as repair-N.txt
//
// A chunk or a dimension file is removed by a manifest edit, then moved. A log is begun anew behind all of its segments: what could be read
// before the damage is sealed into chunks first, and numbers of lost commits are not given again.
// A crash anywhere leaves a directory that can be repaired again, with the same result: what the interrupted repair had
// still to move stands in `repair.pending`.

import Synchronization
import VarveCore
import VarveFormat
import VarveIO

package final class StoreRepair {
  private let options: StoreOptions
  private let paths: StorePaths
  private let files: any FileSystem
  private var report = RepairReport()
  /// Paths within the data directory, to be moved into quarantine.
  private var moves: [String] = []
  private var lostChunks: [FileID] = []
  private var lostDimensions: [TableID] = []

  private init(_ options: StoreOptions) {
    self.options = options
    paths = StorePaths(root: options.directory)
    files = options.fileSystem
  }

  /// Repairs what can be repaired. Throws, with nothing changed, if the manifest or the series file is damaged, if
  /// another process holds the directory, or if the disk fails.
  package static func repair(
    _ options: StoreOptions, timeText: @escaping @Sendable (Int64) -> String = { String($0) }
  ) throws -> RepairReport {
    let repair = StoreRepair(options)
    repair.report.timeText = timeText
    guard try repair.files.exists(repair.paths.manifests) else {
      throw VarveError(.notADataDirectory, "there is no data directory here", place: options.directory)
    }
    let lock = try repair.files.lock(repair.paths.lock, shared: false)
    defer { lock.release() }
    try repair.run()
    return repair.report
  }

  private func run() throws {
    let manifest = try readManifest()
    try checkSeriesFile(manifest.state)
    try findLostChunks(manifest.state)
    try findLostDimensions(manifest.state)
    let log = try salvageLog(manifest.state)
    try readPending(manifest.state)
    if report.isUnneeded, moves.isEmpty { return }
    try writePending()
    if !lostChunks.isEmpty || !lostDimensions.isEmpty || log != nil { try commit(manifest, log) }
    try move()
    try finish()
  }

  // MARK: - Looking

  private func readManifest() throws -> ManifestReader {
    do {
      guard let manifest = try ManifestReader(paths: paths, files: files) else {
        throw VarveError(.corruption, "there is no manifest", place: paths.manifests)
      }
      return manifest
    } catch { throw Self.unrepairable(error, "the manifest alone says which files live") }
  }

  private func checkSeriesFile(_ state: ManifestState) throws {
    do {
      let series = SeriesIndexes(hash: WideHash(seed: options.hashSeed))
      try SeriesFile.read(paths: paths, files: files, id: state.seriesFile, byteCount: state.seriesByteCount) {
        try series.apply($0, catalog: state.catalog)
      }
    } catch { throw Self.unrepairable(error, "without the series file nobody knows whose rows are whose") }
  }

  private static func unrepairable(_ error: any Error, _ reason: String) -> VarveError {
    var error = asVarveError(error)
    guard [.corruption, .notFound].contains(error.code) else { return error }
    error = VarveError(
      .corruption, "this cannot be repaired: \(error.message); \(reason)", hint: "restore it from a backup",
      place: error.place)
    return error
  }

  private func findLostChunks(_ state: ManifestState) throws {
    let series = SeriesIndexes(hash: WideHash(seed: options.hashSeed))
    try SeriesFile.read(paths: paths, files: files, id: state.seriesFile, byteCount: state.seriesByteCount) {
      try series.apply($0, catalog: state.catalog)
    }
    let check = ChunkCheck(paths: paths, files: files, catalog: state.catalog, series: series)
    for chunk in state.chunks.values.sorted(by: { $0.file < $1.file }) {
      guard let problem = try check.problems(of: chunk).first else { continue }
      guard problem.code == .corruption else { throw problem }
      let isMissing = try !files.exists(paths.chunk(chunk.file))
      let file = "chunks/" + StorePaths.name(chunk.file, "chunk")
      report.chunks.append(
        .init(
          file: file, table: state.catalog.tables[chunk.table]?.name ?? "?", partition: chunk.partition,
          time: chunk.time, rowCount: chunk.rowCount, isMissing: isMissing, message: problem.message))
      lostChunks.append(chunk.file)
      if !isMissing { moves.append(file) }
    }
  }

  private func findLostDimensions(_ state: ManifestState) throws {
    for metadata in state.checkpoint.dimensionFiles {
      guard let schema = state.catalog.dimensions[metadata.table] else { continue }
      do { _ = try DimensionFiles.read(metadata, schema, files, paths) } catch let error as VarveError
        where error.code == .corruption
      {
        let isMissing = try !files.exists(paths.dimension(metadata.file))
        let file = "dimensions/" + StorePaths.name(metadata.file, "dimension")
        report.dimensions.append(
          .init(
            file: file, table: schema.name, rowCount: metadata.rowCount, isMissing: isMissing, message: error.message))
        lostDimensions.append(metadata.table)
        if !isMissing { moves.append(file) }
      }
    }
  }

  /// What the manifest says without the dimension files that are lost.
  private func keptState(_ state: ManifestState) throws -> ManifestState {
    var kept = state
    var edit = kept.checkpoint
    edit.changes = []
    edit.addedChunks = []
    edit.addedTombstones = []
    edit.dimensionFiles = []
    edit.rollups = rollupsWithLosses(state)
    edit.removedDimensionFiles = lostDimensions
    try kept.apply(edit)
    return kept
  }

  /// Rollups of which chunks are lost: what these held is to be made anew, as far as their sources have it.
  private func rollupsWithLosses(_ state: ManifestState) -> [RollupState] {
    var rollups = state.rollups
    for chunk in lostChunks.compactMap({ state.chunks[$0] }) {
      guard var rollup = rollups[chunk.table] else { continue }
      rollup.invalidate(from: max(chunk.time.lower, rollup.frozen), to: chunk.time.upper + 1, state.flushed)
      rollups[chunk.table] = rollup
    }
    return rollups.values.filter { $0 != state.rollups[$0.table] }.sorted { $0.table < $1.table }
  }

  /// What can be kept of the log; nil when all of it can.
  private func salvageLog(_ manifest: ManifestState) throws -> LoadedState? {
    let state = try keptState(manifest)
    var loaded = try LoadedState(options, paths, state)
    let found = try loaded.salvageLog(upTo: nil)
    // A damaged header of a segment that is not needed any more harms nothing but the next open.
    let unneeded = found.badSegments.filter { $0.0 < state.logStart.file }
    moves += unneeded.map { "wal/" + StorePaths.name($0.0, "wal") }
    report.finished += unneeded.map {
      "wal/\(StorePaths.name($0.0, "wal")): an emptied segment's header is damaged, moved to quarantine; nothing is lost"
    }
    let bad = found.badSegments.filter { $0.0 >= state.logStart.file }
    guard let first = found.damage ?? bad.first?.1 ?? state.lossOfLog(endingAt: loaded.sequence, paths) else {
      return nil
    }
    if found.damage != nil {
      // A record that makes no sense may have been applied in part: only those before it count.
      let last = loaded.sequence
      loaded = try LoadedState(options, paths, state)
      _ = try loaded.salvageLog(upTo: last)
    }
    let remains = try LogRemains(
      paths: paths, files: files, from: state.logStart, kept: loaded.sequence, known: state.highestKnownCommit)
    let stop = found.damage == nil ? nil : loaded.logEnd.file
    let segments = try files.list(paths.log).compactMap { StorePaths.id(of: $0, suffix: "wal") }.filter { id in
      bad.contains { $0.0 == id } || stop.map { id >= $0 } ?? false
    }.map { "wal/" + StorePaths.name($0, "wal") }
    report.log = .init(
      message: first.place.map { "\(first.message) [\(relative($0))]" } ?? first.message, segments: segments,
      kept: loaded.sequence, lostCommits: remains.lost, readableRowCount: remains.readableRowCount)
    moves += segments
    loaded.skipCommits(upTo: remains.highest)
    return loaded
  }

  private func relative(_ place: String) -> String {
    place.hasPrefix(paths.root + "/") ? String(place.dropFirst(paths.root.utf8.count + 1)) : place
  }

  // MARK: - Doing

  private func commit(_ read: ManifestReader, _ log: LoadedState?) throws {
    let highest = try Store.highestFileID(paths, files)
    let ids = FileIDs(next: max(read.state.nextFile, FileID(rawValue: highest.rawValue + 1)))
    let manifest = try ManifestLog.resume(
      read, paths: paths, files: files, clock: options.clock, ids: ids, capacity: options.manifestByteCount)
    defer { manifest.close() }
    // No file has this id: the log goes on behind everything there is.
    let position = LogPosition(file: try ids.take(), offset: 0)
    var edit = ManifestEdit(
      wallNanoseconds: options.clock.wallNanoseconds(), flushed: read.state.flushed, logStart: read.state.logStart,
      seriesFile: read.state.seriesFile, seriesByteCount: read.state.seriesByteCount, nextFile: ids.next,
      nextTable: read.state.catalog.nextTable)
    edit.removedChunks = lostChunks
    edit.removedDimensionFiles = lostDimensions
    edit.rollups = rollupsWithLosses(read.state)
    let hasCommits = log.map { $0.sequence > read.state.flushed } ?? false
    if log != nil, !hasCommits { edit.logStart = position }
    if !edit.removedChunks.isEmpty || !edit.removedDimensionFiles.isEmpty || edit.logStart != read.state.logStart {
      try manifest.commit(edit)
    }
    if let log, hasCommits { try seal(log, manifest, ids, position) }
  }

  /// What was kept of the log becomes chunks, and the log begins anew at `position`.
  private func seal(_ kept: LoadedState, _ manifest: ManifestLog, _ ids: FileIDs, _ position: LogPosition) throws {
    let seriesFile = try SeriesFile.resume(
      paths: paths, files: files, id: manifest.state.seriesFile, byteCount: manifest.state.seriesByteCount)
    defer { seriesFile.close() }
    let log = WriteAheadLog(
      paths: paths, files: files, clock: options.clock, ids: ids, segmentByteCount: options.segmentByteCount,
      end: position, segments: [])
    let store = kept.makeStore(ids: ids, lock: nil, log: log, manifest: manifest, seriesFile: seriesFile)
    try store.sealAll()
  }

  // MARK: - Quarantine

  private static let pendingName = "repair.pending"
  private var pending: String { "\(paths.quarantine)/\(Self.pendingName)" }

  /// What an interrupted repair still had to move, as far as nothing names it now.
  private func readPending(_ state: ManifestState) throws {
    guard try files.exists(paths.quarantine), try files.exists(pending) else { return }
    let text = String(decoding: try files.readAll(pending, limit: 64 << 20), as: UTF8.self)
    for line in text.split(separator: "\n") {
      guard line.hasPrefix("move ") else {
        if !report.finished.contains(String(line)) { report.finished.append(String(line)) }
        continue
      }
      let file = String(line.dropFirst(5))
      if isUnnamed(file, state), !moves.contains(file) { moves.append(file) }
    }
  }

  /// Only names that Varve makes: the list is read from a file.
  private func isUnnamed(_ file: String, _ state: ManifestState) -> Bool {
    let parts = file.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return false }
    switch parts[0] {
    case "chunks": return StorePaths.id(of: String(parts[1]), suffix: "chunk").map { state.chunks[$0] == nil } ?? false
    case "dimensions":
      return StorePaths.id(of: String(parts[1]), suffix: "dimension").map { id in
        !state.dimensionFiles.values.contains { $0.file == id }
      } ?? false
    case "wal": return StorePaths.id(of: String(parts[1]), suffix: "wal").map { $0 < state.logStart.file } ?? false
    default: return false
    }
  }

  private func writePending() throws {
    try files.createDirectory(paths.quarantine)
    try files.syncDirectory(paths.root)
    let lines = report.lines + moves.map { "move \($0)" }
    let temporary = pending + ".new"
    if try files.exists(temporary) { try files.remove(temporary) }
    let file = try files.open(temporary, .createNew)
    defer { file.close() }
    try file.write(Array((lines.joined(separator: "\n") + "\n").utf8), at: 0)
    try file.sync()
    try files.rename(temporary, to: pending)
    try files.syncDirectory(paths.quarantine)
  }

  private func move() throws {
    for file in moves {
      guard let name = file.split(separator: "/").last, try files.exists("\(paths.root)/\(file)") else { continue }
      try files.rename("\(paths.root)/\(file)", to: "\(paths.quarantine)/\(name)")
    }
    // The new names first: a file must not be without any.
    for directory in [paths.quarantine, paths.chunks, paths.log] { try files.syncDirectory(directory) }
    if moves.contains(where: { $0.hasPrefix("dimensions/") }) { try files.syncDirectory(paths.dimensions) }
  }

  /// The record of what was done stays, under a name of its own.
  private func finish() throws {
    var number = 1
    while try files.exists("\(paths.quarantine)/repair-\(number).txt") { number += 1 }
    try files.rename(pending, to: "\(paths.quarantine)/repair-\(number).txt")
    try files.syncDirectory(paths.quarantine)
  }
}
