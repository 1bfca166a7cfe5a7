// Reads every byte of a data directory, checks every checksum and every rule between files, and names what is wrong.
// Changes nothing. On a directory that a server is writing, what changes underfoot may be reported; so it asks for the
// lock first.

import VarveCore
import VarveFormat
import VarveIO

package struct VerifyReport: Sendable {
  package struct FileLine: Sendable {
    package let path: String
    package let kind: String
    package let byteCount: Int
  }
  package struct Problem: Sendable, Equatable {
    package let path: String
    package let message: String
    package init(path: String, message: String) {
      self.path = path
      self.message = message
    }
  }

  package internal(set) var files: [FileLine] = []
  package internal(set) var problems: [Problem] = []
  /// Files that nothing names: the next open removes them.
  package internal(set) var orphans: [String] = []
  package internal(set) var rows = 0
  package internal(set) var commitsInLog = 0

  package var isSound: Bool { problems.isEmpty }

  /// The report in words.
  package var lines: [String] {
    var lines = problems.map { "DAMAGED \($0.path): \($0.message)" }
    lines += orphans.map { "leftover \($0): named by nothing, removed at the next open" }
    let bytes = files.reduce(0) { $0 + $1.byteCount }
    lines.append(
      "\(files.count) files, \(bytes) bytes read; \(rows) rows in chunks, \(commitsInLog) commits in the log; "
        + (isSound ? "all sound" : "\(problems.count) problems"))
    return lines
  }
}

package final class StoreVerifier {
  private let paths: StorePaths
  private let files: any FileSystem
  private var report = VerifyReport()

  private init(_ paths: StorePaths, _ files: any FileSystem) {
    self.paths = paths
    self.files = files
  }

  /// Throws only if there is nothing to verify or another process holds the directory.
  package static func verify(directory: String, files: any FileSystem, progress: (String) -> Void = { _ in }) throws
    -> VerifyReport
  {
    let paths = StorePaths(root: directory)
    guard try files.exists(paths.manifests) else {
      throw VarveError(.notADataDirectory, "there is no data directory here", place: directory)
    }
    let lock = try files.lock(paths.lock, shared: true)
    defer { lock.release() }
    let verifier = StoreVerifier(paths, files)
    verifier.run(progress)
    return verifier.report
  }

  private func run(_ progress: (String) -> Void) {
    guard let manifest = check(paths.manifests, { try ManifestReader(paths: paths, files: files) }) ?? nil else {
      if report.isSound { report.problems.append(.init(path: paths.manifests, message: "there is no manifest")) }
      return
    }
    note(paths.manifest(manifest.file), "manifest")
    let state = manifest.state
    let series = SeriesIndexes(hash: WideHash(seed: 0))
    let seriesPath = paths.seriesFile(state.seriesFile)
    check(seriesPath) {
      try SeriesFile.read(paths: paths, files: files, id: state.seriesFile, byteCount: state.seriesByteCount) {
        try series.apply($0, catalog: state.catalog)
      }
    }
    note(seriesPath, "series file")
    for chunk in state.chunks.values.sorted(by: { $0.file < $1.file }) {
      progress(paths.chunk(chunk.file))
      verify(chunk, state.catalog, series)
    }
    for file in state.checkpoint.dimensionFiles {
      progress(paths.dimension(file.file))
      verify(file, state.catalog)
    }
    verifyLog(state)
    listOrphans(state)
  }

  private func verify(_ chunk: ChunkMetadata, _ catalog: Catalog, _ series: SeriesIndexes) {
    let path = paths.chunk(chunk.file)
    check(path) {
      try ChunkCheck(paths: paths, files: files, catalog: catalog, series: series).problems(of: chunk)
    }?.forEach { report.problems.append(.init(path: $0.place ?? path, message: $0.message)) }
    report.rows += chunk.rowCount
    note(path, "chunk")
  }

  private func verify(_ file: DimensionFileMetadata, _ catalog: Catalog) {
    let path = paths.dimension(file.file)
    guard let schema = catalog.dimensions[file.table] else {
      return report.problems.append(.init(path: path, message: "the dimension file belongs to no table"))
    }
    check(path) { try DimensionFiles.read(file, schema, files, paths) }
    note(path, "dimension file")
  }

  private func verifyLog(_ state: ManifestState) {
    var reader = LogReader(paths: paths, files: files, start: state.logStart)
    var commits = 0
    var previous = state.flushed
    check(paths.log) {
      try reader.read { sequence, _ in
        guard sequence == previous.next else {
          throw VarveError(.corruption, "the log goes from commit \(previous.rawValue) to commit \(sequence.rawValue)")
        }
        previous = sequence
        commits += 1
      }
      if let loss = state.lossOfLog(endingAt: previous, paths) { throw loss }
    }
    report.commitsInLog = commits
    for segment in reader.kept { verifyKept(segment) }
    // What stands before the log's start in its segment is kept as well.
    if let first = reader.segments.first, first.id == state.logStart.file {
      verifyKept(.init(id: first.id, byteCount: first.byteCount, end: state.logStart))
    }
    for segment in reader.kept { note(paths.segment(segment.id), "log segment kept for subscriptions") }
    for segment in reader.segments { note(paths.segment(segment.id), "log segment") }
    for id in reader.unused { note(paths.segment(id), "log segment without records") }
  }

  /// A segment that only those need who follow commits.
  private func verifyKept(_ segment: WriteAheadLog.Used) {
    let path = paths.segment(segment.id)
    check(path) {
      try files.readAll(path).withUnsafeBytes { raw in
        let scan = LogScan(raw, file: segment.id, limit: segment.end.offset)
        guard scan.end == segment.end.offset else {
          throw VarveError(.corruption, "a log segment that is kept for subscriptions is damaged at byte \(scan.end)")
        }
      }
    }
  }

  private func listOrphans(_ state: ManifestState) {
    let names = check(paths.chunks) { try files.list(paths.chunks) } ?? []
    for name in names where StorePaths.id(of: name, suffix: "chunk").map({ state.chunks[$0] == nil }) ?? true {
      report.orphans.append("\(paths.chunks)/\(name)")
    }
    let dimensions = Set(state.dimensionFiles.values.map { StorePaths.name($0.file, "dimension") })
    let found = check(paths.dimensions) {
      try files.exists(paths.dimensions) ? try files.list(paths.dimensions) : []
    }
    for name in found ?? [] where !dimensions.contains(name) { report.orphans.append("\(paths.dimensions)/\(name)") }
  }

  private func note(_ path: String, _ kind: String) {
    // A file that cannot be looked at is among the problems already.
    guard let byteCount = check(path, { try files.byteCount(path) }) else { return }
    report.files.append(.init(path: path, kind: kind, byteCount: byteCount))
  }

  @discardableResult
  private func check<T>(_ path: String, _ body: () throws -> T) -> T? {
    do {
      return try body()
    } catch {
      let error = asVarveError(error)
      let problem = VerifyReport.Problem(path: error.place ?? path, message: error.message)
      if !report.problems.contains(where: { $0.path == problem.path }) { report.problems.append(problem) }
      return nil
    }
  }
}
