// A place with backups of one or several stores: which there are, and under which keys.
//
//   <store>/backups/00000017.backup      a backup's manifest: the backup is there if this is
//   <store>/chunks/… dimensions/… series/… wal/…     pieces of files, shared by the backups of the store
//   <store>/wal/….log                    pieces of the log, of backups and between them
//   <store>/backup.lock                  held while a backup is taken or pruned
//   <store>/ship.lock                    held by who ships the store's log

import VarveCore
import VarveIO

package struct BackupPlace: Sendable {
  package let objects: any ObjectStore

  package init(_ objects: any ObjectStore) { self.objects = objects }

  /// Throws `.notFound` if there is no such place.
  package static func open(_ url: String, files: any FileSystem, schemes: ObjectStoreSchemes) throws -> BackupPlace {
    let place = BackupPlace(try ObjectStoreURL.open(url, files: files, schemes: schemes))
    try place.objects.checkPlace()
    return place
  }

  package static func folder(_ store: StoreIdentity) -> String { "\(store)/" }

  static func manifestKey(_ store: StoreIdentity, _ number: Int) -> String {
    let digits = String(number)
    return "\(store)/backups/" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".backup"
  }

  /// The stores that have backups here, or had.
  package func stores() throws -> [StoreIdentity] { try objects.folders("").compactMap { StoreIdentity($0) } }

  /// The numbers of the store's backups, oldest first. A list may be behind, and have what is deleted, or not have what is
  /// there: those behind the last are asked for themselves, so that no number is given twice, and so are those between two
  /// others, which pruning leaves no room for.
  package func numbers(of store: StoreIdentity) throws -> [Int] {
    var numbers = try objects.list("\(store)/backups/").compactMap { entry -> Int? in
      guard let name = entry.key.split(separator: "/").last, name.hasSuffix(".backup"),
        let number = Int(name.dropLast(".backup".count)), number > 0, Self.manifestKey(store, number) == entry.key
      else { return nil }
      return number
    }.sorted()
    let gaps = zip(numbers, numbers.dropFirst()).map { $0 + 1..<$1 }
    if gaps.reduce(0, { $0 + $1.count }) <= Limits.backupsLookedFor {
      numbers += try gaps.joined().filter { try objects.byteCount(Self.manifestKey(store, $0)) != nil }
      numbers.sort()
    }
    while try objects.byteCount(Self.manifestKey(store, (numbers.last ?? 0) + 1)) != nil {
      numbers.append((numbers.last ?? 0) + 1)
    }
    return numbers
  }

  /// Throws `.notFound`, `.corruption` or `.unsupportedVersion`.
  package func manifest(of store: StoreIdentity, _ number: Int) throws -> BackupManifest {
    let key = Self.manifestKey(store, number)
    let place = objects.address(key)
    guard let byteCount = try objects.byteCount(key) else {
      throw VarveError(
        .notFound, "there is no backup \(number) of store \(store)", hint: "`varve backup list` names those there are",
        place: place)
    }
    guard byteCount <= 1 << 30 else {
      throw VarveError(.corruption, "the manifest of backup \(number) is longer than any", place: place)
    }
    let manifest = try BackupManifest.decode(try objects.get(key, 0..<byteCount), place: place)
    guard manifest.store == store, manifest.number == number else {
      throw VarveError(
        .corruption, "this is the manifest of backup \(manifest.number) of store \(manifest.store)", place: place)
    }
    return manifest
  }

  /// The store's backups, oldest first, or why one cannot be read.
  package func backups(of store: StoreIdentity) throws -> [(number: Int, manifest: Result<BackupManifest, VarveError>)]
  {
    try numbers(of: store).compactMap { number in
      do { return (number, .success(try manifest(of: store, number))) } catch let error as VarveError {
        switch error.code {
        case .corruption, .unsupportedVersion: return (number, .failure(error))
        // Removed since the list was made.
        case .notFound: return nil
        default: throw error
        }
      }
    }
  }

  /// The store that is meant where none is named: the only one. Throws if there is none, or are several.
  package func store(_ named: StoreIdentity?) throws -> StoreIdentity {
    let known = try stores().filter { try !numbers(of: $0).isEmpty }
    if let named {
      guard known.contains(named) else { throw none(of: named) }
      return named
    }
    guard let first = known.first else { throw none(of: nil) }
    guard known.count == 1 else {
      throw VarveError(
        .invalidArgument,
        "there are backups of \(known.count) stores: \(known.map(\.description).joined(separator: ", "))",
        hint: "say which with --store; `varve backup list` shows when each was backed up", place: objects.address(""))
    }
    return first
  }

  private func none(of store: StoreIdentity?) -> VarveError {
    VarveError(
      .notFound, store.map { "there are no backups of store \($0)" } ?? "there are no backups",
      hint: "`varve backup list` names those there are", place: objects.address(""))
  }

  /// Kept from others as long as one backs up the store, or prunes.
  func lock(_ store: StoreIdentity) throws -> any ObjectLock {
    do { return try objects.lock("\(store)/backup") } catch var error as VarveError where error.code == .directoryLocked
    {
      error.message = "backups of store \(store) are being taken or pruned by somebody else"
      error.hint = "wait for it to end, then try again" + (error.hint.map { "; \($0)" } ?? "")
      throw error
    }
  }

  /// The bytes of a piece. Throws `.corruption` if they are not what the backup says.
  func read(_ piece: BackupFile.Piece, _ key: String, of manifest: BackupManifest) throws -> [UInt8] {
    if let log = piece.log { return try content(of: log, of: manifest.store) }
    let key = Self.folder(manifest.store) + key
    let place = objects.address(key)
    let bytes: [UInt8]
    do { bytes = try objects.get(key, 0..<piece.byteCount) } catch let error as VarveError where error.code == .notFound
    {
      throw VarveError(.corruption, "an object of backup \(manifest.number) is missing", place: place)
    }
    guard bytes.count == piece.byteCount else {
      throw VarveError(
        .corruption, "an object of backup \(manifest.number) has \(bytes.count) bytes instead of \(piece.byteCount)",
        place: place)
    }
    guard piece.checksum == checksum(bytes) else {
      throw VarveError(.corruption, "an object of backup \(manifest.number) fails its checksum", place: place)
    }
    return bytes
  }

  /// The bytes of a segment that a piece of the log stands for. Throws `.corruption`.
  func content(of piece: LogPiece, of store: StoreIdentity) throws -> [UInt8] {
    try read(piece, of: store, LogPieceObject.byteLimit(piece)) { try LogPieceObject.content($0, of: piece) }
  }

  /// What a piece of the log says of itself: a small read.
  package func header(of piece: LogPiece, of store: StoreIdentity) throws -> LogPieceObject {
    try read(piece, of: store, LogPieceObject.headerByteCount) { try LogPieceObject.header($0, of: piece) }
  }

  private func read<T>(
    _ piece: LogPiece, of store: StoreIdentity, _ byteCount: Int, _ decode: ([UInt8]) throws -> T
  ) throws -> T {
    let key = Self.folder(store) + piece.key
    do { return try decode(try objects.get(key, 0..<byteCount)) } catch var error as VarveError {
      error.place = objects.address(key)
      guard error.code == .notFound else { throw error }
      throw VarveError(.corruption, "an object of the log is missing", place: error.place)
    }
  }

  /// Kept from others as long as one ships the store's log.
  func lockShipping(_ store: StoreIdentity) throws -> any ObjectLock {
    do { return try objects.lock("\(store)/ship") } catch var error as VarveError where error.code == .directoryLocked {
      error.message = "the log of store \(store) is shipped by somebody else"
      error.hint = "two copies of one directory cannot be backed up to one place: give each its own"
      throw error
    }
  }
}
