// Verifying a directory that is being written, by the process that writes it.
//
// It is opened for reading as any other process would, which reads manifest, series file and log whole and holds every
// chunk of that moment open; then each chunk is checked through what is held. So the writer goes on sealing and
// removing files, and nothing that it removes meanwhile counts as missing.

import VarveCore
import VarveFormat
import VarveIO

extension StoreVerifier {
  /// `check` is called between files, and throws to end it.
  package static func verifyRunning(_ store: Store, check: () throws -> Void) throws -> VerifyReport {
    var options = store.options
    options.readOnly = true
    options.log = { _, _ in }
    var report = VerifyReport()
    let view: Store
    do {
      view = try Store.open(options)
    } catch let error as VarveError where error.code == .corruption || error.code == .unsupportedVersion {
      report.problems.append(.init(path: error.place ?? store.directory, message: error.message))
      return report
    }
    let state = view.published.withLock { $0 }
    let chunkCheck = ChunkCheck(
      paths: view.paths, files: options.fileSystem, catalog: state.catalog, series: view.series)
    for handle in state.chunks.all.sorted(by: { $0.metadata.file < $1.metadata.file }) {
      try check()
      let chunk = handle.metadata
      for problem in try chunkCheck.problems(of: chunk, through: handle) {
        report.problems.append(.init(path: problem.place ?? handle.path, message: problem.message))
      }
      report.files.append(.init(path: handle.path, kind: "chunk", byteCount: chunk.byteCount))
      report.rows += chunk.rowCount
    }
    report.commitsInLog = Int(view.sequence.rawValue - view.flushed.rawValue)
    try noteLogs(view.paths, options.fileSystem, &report)
    return report
  }

  /// The files that opening has read. One that is gone by now was let go of by the writer.
  private static func noteLogs(_ paths: StorePaths, _ files: any FileSystem, _ report: inout VerifyReport) throws {
    for (directory, suffix, kind) in [
      (paths.manifests, "manifest", "manifest"), (paths.series, "series", "series file"),
      (paths.dimensions, "dimension", "dimension file"),
      (paths.log, "wal", "log segment"),
    ] {
      guard try files.exists(directory) else { continue }
      for name in try files.list(directory).sorted() where StorePaths.id(of: name, suffix: suffix) != nil {
        let path = "\(directory)/\(name)"
        do {
          report.files.append(.init(path: path, kind: kind, byteCount: try files.byteCount(path)))
        } catch let error as VarveError where error.code == .notFound { continue }
      }
    }
  }
}
