// Puts rows of the active head in order, some at a time. Any thread but one may do so at a time; it is the one that writes
// chunks.

import VarveCore

extension Store {
  /// Whether enough came to look for what to gather.
  package var mayGather: Bool { published.withLock { $0.active.ungatheredByteCount >= gatherByteCount } }

  /// Gathers once. False if nothing is due.
  package func gather() -> Bool {
    guard let gather = pickGather(byteCount: gatherByteCount) else { return false }
    _ = install(gather, gather.make())
    return true
  }

  /// Blocks of `byteCount` together, or little more. Those of fewer rows than `joinedRowCount` are left: what comes next is
  /// joined to them.
  package func pickGather(byteCount: Int, joinedRowCount: Int = Head.joinedRowCount) -> HeadGather? {
    published.withLock { state in
      let gather = state.active.youngBlocks(byteCount: byteCount, joinedRowCount: joinedRowCount)
      if gather == nil { state.active.lookedForYoungBlocks() }
      return gather
    }
  }

  /// Puts what was gathered in its place. False, and nothing done, where a delete, a drop or a freeze was faster.
  package func install(_ gather: HeadGather, _ block: HeadBlock) -> Bool {
    // What goes is held by `gather`, so nothing is released under the lock.
    published.withLock { $0.active.replace(gather, by: block) }
  }

  /// So much is gathered at once: small against the head, of which so few blocks remain, and columns of it lie in the
  /// processor's caches.
  private var gatherByteCount: Int { options.sealByteCount / 8 }
}
