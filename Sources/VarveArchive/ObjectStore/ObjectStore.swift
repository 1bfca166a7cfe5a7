// Where backups and archives go: a flat store of named, immutable objects. A directory is one (`DirectoryStore`), a bucket
// of a store that speaks the S3 API another (VarveS3).
//
// The contract that each keeps, and that callers may rely on:
// - `put` makes an object whole or not at all, and durable before it returns; a second one replaces the first;
// - `move` makes the object whole and durable under its other name before the first one goes: whatever ends it, the
//   object is under one of its names or under both, and moving it again is right;
// - what `put`, `move` and `delete` did, every later call sees;
// - keys are made of numbers and fixed words, `/`-separated; only an object's last part has a dot. No name that a user
//   chose is ever part of a key.
// Calls block the thread that makes them. They throw `VarveError` with the object's address as its place: `.notFound`,
// `.diskFull`, `.directoryLocked` (somebody else has the lock), `.inputOutput`, `.corruption` where the store itself says
// that bytes are not what they were, and from stores behind a network `.unavailable` and `.accessDenied`.

import VarveCore

/// An object's key and length.
package struct ObjectEntry: Sendable, Hashable {
  package let key: String
  package let byteCount: Int
  package init(key: String, byteCount: Int) {
    self.key = key
    self.byteCount = byteCount
  }
}

/// Some bytes of an object.
package struct ObjectRange: Sendable, Hashable {
  package let key: String
  package let range: Range<Int>
  package init(key: String, range: Range<Int>) {
    self.key = key
    self.range = range
  }
}

package protocol ObjectStore: Sendable {
  /// For messages: where the object is, or the store for an empty key.
  func address(_ key: String) -> String
  /// Throws `.notFound` where there is no such place at all, which is none of the keys' business.
  func checkPlace() throws
  func put(_ key: String, _ bytes: [UInt8]) throws
  /// Gives an object another name, in place of what has that one; its bytes stay with the store. Throws `.notFound` where
  /// there is no such object.
  func move(_ key: String, to target: String) throws
  /// The bytes of the range, fewer where the object ends.
  func get(_ key: String, _ range: Range<Int>) throws -> [UInt8]
  /// The bytes of each range, in order, as `get` of it gives them; at the same time as far as the store can.
  func get(_ requests: [ObjectRange]) throws -> [[UInt8]]
  /// The object's length; nil if there is none.
  func byteCount(_ key: String) throws -> Int?
  /// All objects whose keys begin with `folder`, which ends with `/` or is empty, by key.
  func list(_ folder: String) throws -> [ObjectEntry]
  /// The next parts of the keys that begin with `folder` and go on behind another `/`, each once.
  func folders(_ folder: String) throws -> [String]
  /// Those that are not there count as deleted.
  func delete(_ keys: [String]) throws
  /// Removes what puts in `folder` left that were interrupted. To be called with a lock that keeps out other writers.
  func removeUnfinished(_ folder: String) throws
  /// Keeps others from taking the same lock, in this process or another, until it is released or the process ends; a store
  /// that does not see processes end lets others have it some time after.
  func lock(_ key: String) throws -> any ObjectLock
}

extension ObjectStore {
  package func get(_ requests: [ObjectRange]) throws -> [[UInt8]] { try requests.map { try get($0.key, $0.range) } }
}

/// Released by `release` or with its last reference.
package protocol ObjectLock: AnyObject, Sendable {
  /// Throws `.directoryLocked` if it was lost, and others may have it. To be called before what must be done by one alone.
  func check() throws
  func release()
}
