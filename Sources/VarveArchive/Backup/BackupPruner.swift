// Removing old backups: their manifests first, oldest first and for sure; then every object that none of the others names.
// A crash in between leaves objects that nothing names, which the next prune removes. A backup that is being taken has the
// store's lock, so nothing goes that it is about to share.

import VarveCore

package struct PruneReport: Sendable, Equatable {
  package internal(set) var removed: [Int] = []
  package internal(set) var kept: [Int] = []
  package internal(set) var objects = 0
  package internal(set) var byteCount = 0
}

package enum BackupPruner {
  /// Keeps the store's newest `count` backups.
  package static func prune(_ store: StoreIdentity, in place: BackupPlace, keeping count: Int) throws -> PruneReport {
    guard count > 0 else {
      throw VarveError(.invalidArgument, "at least one backup is kept, not \(count)", hint: "give --keep 1 or more")
    }
    let lock = try place.lock(store)
    defer { lock.release() }
    let numbers = try place.numbers(of: store)
    var report = PruneReport(removed: numbers.dropLast(count), kept: numbers.suffix(count))
    // All that stay are read before anything goes: what a damaged one needs nobody knows.
    let needed = try neededKeys(report.kept, store, place)
    try lock.check()
    for number in report.removed { try place.objects.delete([BackupPlace.manifestKey(store, number)]) }
    let folder = BackupPlace.folder(store)
    let unneeded = try BackupFile.Kind.allCases.flatMap { try place.objects.list("\(folder)\($0.folder)/") }
      .filter { !needed.contains($0.key) }
    try lock.check()
    try place.objects.delete(unneeded.map(\.key))
    try place.objects.removeUnfinished(folder)
    report.objects = unneeded.count
    report.byteCount = unneeded.reduce(0) { $0 + $1.byteCount }
    return report
  }

  private static func neededKeys(_ numbers: [Int], _ store: StoreIdentity, _ place: BackupPlace) throws -> Set<String> {
    var keys = Set<String>()
    for number in numbers {
      let manifest: BackupManifest
      do { manifest = try place.manifest(of: store, number) } catch let error as VarveError
        where error.code == .notFound
      {
        // Removed since the list was made.
        continue
      } catch var error as VarveError
        where error.code == .corruption
      {
        error.message = "backup \(number) is to be kept and cannot be read, so nothing was removed: \(error.message)"
        error.hint = "take another backup, and keep fewer than go back to the damaged one"
        throw error
      }
      for file in manifest.files {
        for (key, _, _) in file.keys { keys.insert(BackupPlace.folder(store) + key) }
      }
    }
    return keys
  }
}
