// Which backup is meant, and how far it is to be restored: a backup by its number, a moment, or all there is.
//
// A moment is best reached from the newest backup before it, whose log and what was shipped behind it lead on to it; else
// from the first one behind it, whose own log may reach back.

import VarveCore
import VarveStorage

package struct BackupChoice {
  private let place: BackupPlace
  private let store: StoreIdentity?

  /// nil: the only store of the place.
  package init(_ place: BackupPlace, store: StoreIdentity?) {
    self.place = place
    self.store = store
  }

  /// The backup of that number at its own moment, or at another one that is wanted of it; of the newest all that was
  /// shipped behind it.
  package func chosen(number: Int?, at limit: LogLimit?) throws -> (manifest: BackupManifest, target: RestoreTarget) {
    let target: RestoreTarget = limit.map { .limit($0) } ?? (number == nil ? .end : .backup)
    return (try manifest(number: number, at: limit), target)
  }

  /// Throws where the newest cannot be read and no moment is asked for: nothing older is taken unasked.
  package func manifest(number: Int?, at limit: LogLimit?) throws -> BackupManifest {
    let store = try place.store(store)
    if let number { return try place.manifest(of: store, number) }
    let numbers = try place.numbers(of: store)
    guard let newest = numbers.last else { preconditionFailure("a store that is chosen has backups") }
    guard let limit else { return try place.manifest(of: store, newest) }
    var unreadable: VarveError?
    /// The first one behind the moment so far.
    var behind: BackupManifest?
    for number in numbers.reversed() {
      do {
        let manifest = try place.manifest(of: store, number)
        guard manifest.isBefore(limit) else {
          behind = manifest
          continue
        }
        let reach = try reach(of: manifest, limit)
        if reach.isEnough { return manifest }
        guard let behind else { throw beyond(limit, reach.description, store) }
        return behind
      } catch let error as VarveError where error.isDamage { unreadable = error }
    }
    if let behind { return behind }
    throw unreadable ?? beyond(limit, "nothing", store)
  }

  /// Whether a backup's log, and what was shipped behind it, reach the moment.
  private func reach(of manifest: BackupManifest, _ limit: LogLimit) throws -> (isEnough: Bool, description: String) {
    let reach = try BackupReach(of: manifest, in: place)
    switch limit {
    case .sequence(let last): return (last <= reach.last, "commit \(reach.last.rawValue)")
    case .time(let time):
      return (time <= reach.wallNanoseconds, "commit \(reach.last.rawValue), which was the last one then")
    }
  }

  private func beyond(_ limit: LogLimit, _ reached: String, _ store: StoreIdentity) -> VarveError {
    VarveError(
      .invalidArgument, "no backup is as new as that moment, and the log that was shipped reaches \(reached)",
      hint: "`varve backup list` shows how far each reaches; without a moment all there is is restored",
      place: place.objects.address(BackupPlace.folder(store)))
  }
}

/// How far a backup can be restored, with what was shipped behind it.
package struct BackupReach: Sendable, Equatable {
  package let last: Sequence
  /// All that was acknowledged up to then is in it.
  package let wallNanoseconds: Int64

  /// Reads a list and the beginning of one object. `placed`: the list, where it is known.
  package init(of manifest: BackupManifest, in place: BackupPlace, _ placed: PlacedLog? = nil) throws {
    let placed = try placed ?? PlacedLog(of: manifest.store, in: place)
    try self.init(of: manifest, placed.chain(behind: manifest), in: place)
  }

  /// `chain`: all that leads on from the backup.
  init(of manifest: BackupManifest, _ chain: LogChain, in place: BackupPlace) throws {
    last = chain.last
    let wall = try chain.pieces.last.map { try place.header(of: $0, of: manifest.store).wallNanoseconds }
    wallNanoseconds = max(manifest.wallNanoseconds, wall ?? .min)
  }
}

extension BackupManifest {
  /// Whether the moment can be reached going on from it, or from within its log, as far as it alone says.
  fileprivate func isBefore(_ limit: LogLimit) -> Bool {
    switch limit {
    case .sequence(let last): leastSequence <= last
    case .time(let time): wallNanoseconds <= time
    }
  }
}
