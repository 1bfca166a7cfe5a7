// Removing old backups: their manifests first, oldest first and for sure; then every object that none of the others names,
// and of the log what lies before the oldest of them: what lies behind, it leads on to. A crash in between leaves objects that nothing names, which the next prune removes. A backup that is being taken has the
// store's lock, so nothing goes that it is about to share.

import VarveCore

package struct PruneReport: Sendable, Equatable {
  package internal(set) var removed: [Int] = []
  package internal(set) var kept: [Int] = []
  package internal(set) var objects = 0
  package internal(set) var byteCount = 0
}

/// Which backups stay.
package enum BackupRetention: Sendable, Equatable {
  /// The newest ones, so many.
  case count(Int)
  /// Those that it takes to restore any moment since, nanoseconds of wall time: the newest one that is older stays, too.
  case since(Int64)
}

package enum BackupPruner {
  package static func prune(
    _ store: StoreIdentity, in place: BackupPlace, keeping retention: BackupRetention
  ) throws -> PruneReport {
    let lock = try place.lock(store)
    defer { lock.release() }
    let numbers = try place.numbers(of: store)
    let count = try keptCount(numbers, store, place, retention)
    var report = PruneReport(removed: numbers.dropLast(count), kept: numbers.suffix(count))
    // All that stay are read before anything goes: what a damaged one needs nobody knows.
    let kept = try manifests(report.kept, store, place)
    try lock.check()
    for number in report.removed { try place.objects.delete([BackupPlace.manifestKey(store, number)]) }
    let folder = BackupPlace.folder(store)
    let needed = Set(kept.flatMap { $0.files.flatMap { $0.keys.map { folder + $0.key } } })
    let unneeded = try Set(BackupFile.Kind.allCases.map(\.folder)).sorted()
      .flatMap { try place.objects.list("\(folder)\($0)/") }
      .filter { !needed.contains($0.key) && !leadsOn(String($0.key.dropFirst(folder.count)), from: kept.first) }
    try lock.check()
    try place.objects.delete(unneeded.map(\.key))
    try removeUnfinished(store, place)
    report.objects = unneeded.count
    report.byteCount = unneeded.reduce(0) { $0 + $1.byteCount }
    return report
  }

  private static func keptCount(
    _ numbers: [Int], _ store: StoreIdentity, _ place: BackupPlace, _ retention: BackupRetention
  ) throws -> Int {
    switch retention {
    case .count(let count):
      guard count > 0 else {
        throw VarveError(.invalidArgument, "at least one backup is kept, not \(count)", hint: "give --keep 1 or more")
      }
      return count
    case .since(let time):
      for (index, number) in numbers.enumerated().reversed() {
        do {
          if try place.manifest(of: store, number).wallNanoseconds <= time { return numbers.count - index }
        } catch let error as VarveError where error.code == .corruption { continue }
      }
      return numbers.count
    }
  }

  /// Whether it is of the log behind the beginning of what a backup needs.
  private static func leadsOn(_ key: String, from oldest: BackupManifest?) -> Bool {
    guard let piece = LogPiece(key: key) else { return false }
    return oldest.map { piece.end > $0.checkpoint.logStart } ?? true
  }

  /// What interrupted puts left; of the log only where nobody is shipping it.
  private static func removeUnfinished(_ store: StoreIdentity, _ place: BackupPlace) throws {
    let folder = BackupPlace.folder(store)
    for name in ["backups", "chunks", "dimensions", "series"] {
      try place.objects.removeUnfinished("\(folder)\(name)/")
    }
    do {
      let lock = try place.lockShipping(store)
      defer { lock.release() }
      try place.objects.removeUnfinished("\(folder)\(LogPiece.folder)/")
    } catch let error as VarveError where error.code == .directoryLocked { return }
  }

  private static func manifests(_ numbers: [Int], _ store: StoreIdentity, _ place: BackupPlace) throws
    -> [BackupManifest]
  {
    try numbers.compactMap { number in
      do { return try place.manifest(of: store, number) } catch let error as VarveError
        where error.code == .notFound
      {
        // Removed since the list was made.
        return nil
      } catch var error as VarveError
        where error.code == .corruption
      {
        error.message = "backup \(number) is to be kept and cannot be read, so nothing was removed: \(error.message)"
        error.hint = "take another backup, and keep fewer than go back to the damaged one"
        throw error
      }
    }
  }
}
