// Reading the feed: commits behind an offset, and what a snapshot is of them alone.

import VarveCore
import VarveFormat
import VarveIO

extension Store {
  /// Commits behind `offset` that may be told of, oldest first; none: there are none yet. Those that the log has come in
  /// parts of about `byteLimit`, and holds a file only while it is read. Throws `.gone` where they are not kept any more.
  package func commits(
    after offset: Sequence, _ follower: inout LogFollower, byteLimit: Int = 4 << 20
  ) throws -> [CommitContents] {
    // The log may let go of a segment, or go on in another, while it is read.
    while true {
      switch try feed.source(after: offset) {
      case .nothing:
        follower.close()
        return []
      case .memory(let contents):
        follower.close()
        return contents
      case .log(let segments, let last):
        let catalog = published.withLock { $0.catalog }
        if let found = try follower.read(
          after: offset, upTo: last, segments, byteLimit: byteLimit, catalog, paths, options.fileSystem)
        {
          return found
        }
        // If the feed still promises it from the same segment, it is there and cannot be read.
        if case .log(let again, _) = try feed.source(after: offset), again.first?.id == segments.first?.id {
          throw VarveError(
            .corruption, "the log does not hold commit \(offset.next.rawValue) where it should",
            hint: "`varve verify` names what is damaged", place: segments.first.map { paths.segment($0.id) })
        }
      }
    }
  }
}

extension Store {
  /// For want of room: what nobody needs who is here. The committing thread's.
  func releaseKeptLog() {
    guard let log else { return }
    do {
      guard try log.releaseKept() else { return }
      options.log(.warning, "the disk is full: the log that was kept for subscriptions is gone")
    } catch {
      options.log(.warning, "cannot remove log segments that were kept; the next start does: \(error)")
    }
    publishLogSize()
    feed.logHolds(log)
  }
}

extension Snapshot {
  /// The moment of this snapshot with nothing in the series tables but what these commits brought. A field that a commit
  /// left out is NULL.
  package func holding(only contents: [CommitContents]) -> Snapshot {
    var state = state
    state.chunks = ChunkSet()
    state.tombstones = TombstoneSet()
    state.sealing = nil
    state.active = Head()
    for each in contents {
      for (partition, block) in each.rows where state.catalog.tables[partition.table] != nil {
        state.active.append(block, to: partition)
      }
    }
    return Snapshot(self, state: state, provisional: provisional)
  }
}
