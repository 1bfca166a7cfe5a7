import Testing
import VarveArchive
import VarveCore
import VarveS3

@Suite struct LockTests {
  private let bucket = FakeBucket()
  private let isPut: @Sendable (HTTPMessageRequest) -> Bool = { $0.method == .put }

  private func expectLocked(_ store: S3Store) {
    let error = #expect(throws: VarveError.self) { try store.lock("a/backup") }
    #expect(error?.code == .directoryLocked && error?.place == "s3://bucket/pre/a/backup.lock")
  }

  @Test func aLockKeepsOthersOut() throws {
    let (one, other) = (try bucket.store(), try bucket.store())
    let lock = try one.lock("a/backup")
    expectLocked(one)
    expectLocked(other)
    try lock.check()
    #expect(try one.list("").isEmpty, "a lock is no object")
    lock.release()
    lock.release()
    let second = try other.lock("a/backup")
    expectLocked(one)
    second.release()
    #expect(bucket.state.withLock { $0.warnings.isEmpty })
  }

  @Test func aLockIsReleasedWithItsLastReference() throws {
    let store = try bucket.store()
    do { _ = try store.lock("a/backup") }
    try store.lock("a/backup").release()
  }

  /// By the store's clock; the owner, which was away, finds out.
  @Test func aLockThatIsNotRenewedIsTakenOver() throws {
    let (one, other) = (try bucket.store(), try bucket.store())
    let lost = try one.lock("a/backup")
    bucket.clock.advance(nanoseconds: 59_000_000_000)
    try lost.check()
    expectLocked(other)
    bucket.clock.advance(nanoseconds: 2_000_000_000)
    let error = #expect(throws: VarveError.self) { try lost.check() }
    #expect(error?.code == .directoryLocked)
    let taken = try other.lock("a/backup")
    lost.release()
    expectLocked(one)
    try taken.check()
    taken.release()
  }

  @Test func aLockIsRenewedWhileItIsHeld() throws {
    let store = try bucket.store(lockSeconds: 1)
    let lock = try store.lock("a/backup")
    func tag() -> String? { bucket.state.withLock { $0.objects["pre/a/backup.lock"]?.tag } }
    let first = tag()
    for _ in 0..<3000 where tag() == first { RetryPolicy().pause(10) }
    #expect(tag() != first)
    try lock.check()
    lock.release()
    #expect(bucket.state.withLock { $0.warnings.isEmpty })
  }

  /// The put was done and its answer lost: the second finds the lock taken, by itself.
  @Test func aLockWhoseAnswerWasLostIsHeld() throws {
    let store = try bucket.store()
    bucket.fault(.after(HTTPFailure(.timedOut, "late")), where: isPut)
    let lock = try store.lock("a/backup")
    try lock.check()
    bucket.fault(.after(HTTPFailure(.broken, "reset")), where: isPut)
    lock.release()
    bucket.fault(.after(HTTPFailure(.broken, "reset")), where: isPut)
    try store.lock("a/backup").release()
    #expect(bucket.state.withLock { $0.warnings.isEmpty })
  }

  @Test func aStoreThatHeedsNoConditionsIsTold() throws {
    bucket.state.withLock { $0.heedsConditions = false }
    let (one, other) = (try bucket.store(), try bucket.store())
    let lock = try one.lock("a/backup")
    expectLocked(one)
    expectLocked(other)
    lock.release()
    try one.lock("a/backup").release()
    #expect(bucket.state.withLock { $0.warnings.count } == 1)
  }

  @Test func conditionsThatAreRefusedAreLeftOut() throws {
    let store = try bucket.store()
    bucket.fault(.beforeAnswer(501, FakeBucket.error("NotImplemented")), where: isPut)
    try store.lock("a/backup").release()
    #expect(bucket.state.withLock { $0.warnings.count } == 1)
  }

  @Test func anotherObjectInItsPlaceIsNoLock() throws {
    let store = try bucket.store()
    try store.put("a/backup.lock", [1])
    let error = #expect(throws: VarveError.self) { try store.lock("a/backup") }
    #expect(error?.code == .corruption)
  }
}
