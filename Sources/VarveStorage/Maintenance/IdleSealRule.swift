// When a head that nobody writes to is sealed before its time: a store at rest then has its rows in chunks, a short log
// and its memory free. Used by the committing thread.
//
// Writers who come now and then must not leave a small chunk behind each time. So each seal of a small head doubles the
// patience with the next: after a few of them it is longer than the writers' pauses, or than the age at which heads are
// sealed anyway. A pause as long as that age is forgotten with all before it. A head of some size is no small chunk, and
// is given no more patience than the first.

struct IdleSealRule {
  private let options: StoreOptions
  /// Monotonic.
  private var lastCommit: Int64?
  private(set) var patienceMilliseconds: Int

  init(_ options: StoreOptions) {
    self.options = options
    patienceMilliseconds = options.sealIdleMilliseconds
  }

  mutating func didCommit(at now: Int64) {
    if let lastCommit, now - lastCommit >= Int64(options.sealAgeMilliseconds) * 1_000_000 {
      patienceMilliseconds = options.sealIdleMilliseconds
    }
    lastCommit = now
  }

  /// Whether to seal the head, which holds `byteCount` since the time `since`.
  func isDue(at now: Int64, since: Int64, byteCount: Int) -> Bool {
    guard options.sealIdleMilliseconds > 0, byteCount >= options.sealIdleByteCount else { return false }
    let patience = isSmall(byteCount) ? patienceMilliseconds : options.sealIdleMilliseconds
    return now - (lastCommit ?? since) >= Int64(patience) * 1_000_000
  }

  /// A head that was due was frozen.
  mutating func didSeal(byteCount: Int) {
    guard isSmall(byteCount) else { return }
    patienceMilliseconds = min(2 * patienceMilliseconds, options.sealAgeMilliseconds)
  }

  /// Larger ones make at most four times the chunks that sealing by size makes.
  private func isSmall(_ byteCount: Int) -> Bool { byteCount < options.sealByteCount / 4 }
}
