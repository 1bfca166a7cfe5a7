// Holds all objects against what their stubs say: there, as long and with the checksum that they were archived with, and
// every page of them what it was.

import VarveCore
import VarveFormat
import VarveIO
import VarveStorage

package enum ArchiveVerifier {
  /// `check` is called now and then, and throws to end it; `tell` is told what comes next. Throws what says nothing about
  /// an object.
  package static func verify(
    _ store: Store, _ tier: ParquetTier, table: TableID?, tell: (String) -> Void = { _ in }, check: () throws -> Void
  ) throws -> ArchiveVerifyReport {
    var report = ArchiveVerifyReport()
    let (found, problems) = try store.archivedChunks(of: table)
    report.problems = problems.map { .init(path: $0.place ?? store.directory, message: $0.message) }
    for chunk in found.sorted(by: { $0.metadata.file < $1.metadata.file }) {
      try check()
      report.objects += 1
      tell("object \(report.objects) of \(found.count)")
      report.bytes += chunk.object.byteCount
      report.rows += chunk.metadata.rowCount
      do { try ObjectProof.check(chunk.object, tier.objects, check: check) } catch let error as VarveError
        where error.isDamage
      {
        report.problems.append(.init(path: error.place ?? chunk.object.key, message: error.message))
        continue
      }
      for problem in try store.problems(ofArchived: chunk) {
        report.problems.append(.init(path: problem.place ?? chunk.object.key, message: problem.message))
      }
    }
    return report
  }
}
