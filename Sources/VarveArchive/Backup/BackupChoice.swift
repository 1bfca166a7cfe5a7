// Which backup is meant: by number, or by the moment that it is to be restored to.

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

  /// The backup of that number, else the first that is not older than the moment, else the newest. Whether it reaches
  /// back to the moment, its log says. Throws where the newest cannot be read: nothing older is taken unasked.
  package func manifest(number: Int?, at limit: LogLimit?) throws -> BackupManifest {
    let store = try place.store(store)
    if let number { return try place.manifest(of: store, number) }
    let numbers = try place.numbers(of: store)
    guard let newest = numbers.last else { preconditionFailure("a store that is chosen has backups") }
    guard let limit else { return try place.manifest(of: store, newest) }
    var unreadable: VarveError?
    for number in numbers {
      do {
        let manifest = try place.manifest(of: store, number)
        if manifest.isBehind(limit) { return manifest }
      } catch let error as VarveError where error.isDamage { unreadable = error }
    }
    if let unreadable { throw unreadable }
    throw VarveError(
      .invalidArgument, "no backup is as new as that moment", hint: "`varve backup list` shows when each was taken",
      place: place.objects.address(BackupPlace.folder(store)))
  }
}

extension BackupManifest {
  /// Whether it was taken at that moment or later.
  fileprivate func isBehind(_ limit: LogLimit) -> Bool {
    switch limit {
    case .sequence(let last): sequence >= last
    case .time(let time): wallNanoseconds >= time
    }
  }
}
