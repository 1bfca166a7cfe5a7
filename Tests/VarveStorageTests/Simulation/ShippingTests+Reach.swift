// How far backups and shipped log reach: no further than what they have, and as far as that goes.

import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

extension ShippingTests {
  /// What takes chunks and leaves nothing in their place.
  enum Removal: CaseIterable {
    case drop, delete
  }

  /// The backup behind it does not have the chunks, and its log none of their rows: it must not be taken for one that
  /// leads to a moment before. One from before does, with the log that was shipped behind it.
  @Test(arguments: Removal.allCases, [false, true])
  func aBackupDoesNotReachBackBehindChunksThatAreGone(removal: Removal, isOpenedAnew: Bool) throws {
    let label = "\(removal), \(isOpenedAnew ? "opened anew" : "")"
    let shipping = try Shipping(Life(seed: 21, SimulatedFileSystem(), tune: Self.tune), seed: 21)
    func commit(_ count: Int) throws -> [Sequence] {
      try (0..<count).map { _ in
        try shipping.life.commit()
        return shipping.life.store.sequence
      }
    }
    _ = try commit(20)
    try shipping.life.store.sealAll()
    try shipping.back()
    try shipping.ship()
    _ = try commit(5)
    try shipping.life.store.sealAll()
    // From here on the next backup has all of the log.
    let before = try commit(4)
    switch removal {
    case .drop: try shipping.life.drop("t1")
    case .delete:
      try shipping.life.empty("t1")
      // Of this table alone: chunks that others are merged into say how far their deletes go.
      let store = shipping.life.store
      let table = try #require(store.snapshot().tables().first { $0.name == "t1" })
      while let task = store.pickFullCompaction(of: table.id) { _ = try store.install(try store.write(task)) }
    }
    let removed = shipping.life.store.sequence
    let behind = try commit(3)
    if isOpenedAnew { try shipping.restart(Self.tune) }
    #expect(shipping.life.models[removed] != shipping.life.models[try #require(before.last)], "it had rows")
    try shipping.back()
    let newest = try shipping.newest()
    #expect(newest.leastSequence == removed, "\(label)")
    #expect(newest.checkpoint.flushed < (try #require(before.first)), "\(label): its log begins before")
    // Nothing was shipped that leads there from the first backup.
    try shipping.expectRefusal(of: before, label)
    try shipping.expect([removed] + behind, label)
    try shipping.ship()
    try shipping.expect(before + [removed] + behind, "\(label), shipped")
  }

  /// What was not sent when shipping ended is sent when it starts again, as long as the store has it: a backup that has
  /// sent what comes behind it is not taken for the end of all that was sent.
  @Test(arguments: [false, true])
  func shippingThatStartsAgainGoesBackToWhatWasNotSent(isKilled: Bool) throws {
    let shipping = try Shipping(Life(seed: 22, SimulatedFileSystem(), tune: Self.tune), seed: 22)
    var random = SeededRandom(seed: 22)
    for _ in 0..<6 { try shipping.life.commit() }
    try shipping.back()
    try shipping.life.commit()
    try shipping.ship()
    var unsent: [Sequence] = []
    for _ in 0..<4 {
      for _ in 0..<3 {
        try shipping.life.commit()
        unsent.append(shipping.life.store.sequence)
      }
      try shipping.life.store.sealAll()
    }
    try shipping.life.commit()
    // It has the last commit of the log alone.
    try shipping.back()
    try shipping.expectRefusal(of: unsent.dropLast(), "nobody has shipped since")
    if isKilled {
      try shipping.crash(.everything, &random, in: {}, tune: Self.tune)
    } else {
      try shipping.restart(Self.tune)
    }
    let report = try #require(try shipping.ship())
    #expect(report.gap == nil && !report.needsBackup && report.pieces >= 4, "\(report)")
    try shipping.expect(unsent, "shipped again")
  }

  /// Log that the store let go of before anybody sent it, with nobody there who would know: whoever starts to ship tells
  /// of the gap and wants a backup, and so does the next one, until there is one.
  @Test func shippingThatStartsAgainTellsOfLogThatIsGone() throws {
    func tune(_ options: inout StoreOptions) { options.unshippedLogByteCount = 4096 }
    let shipping = try Shipping(Life(seed: 23, SimulatedFileSystem(), tune: tune), seed: 23)
    for _ in 0..<6 { try shipping.life.commit() }
    try shipping.back()
    try shipping.life.commit()
    try shipping.ship()
    let sent = shipping.sent
    shipping.stop()
    var known: [Sequence] = []
    for _ in 0..<6 {
      try shipping.life.commit()
      try shipping.life.store.sealAll()
      known.append(shipping.life.store.sequence)
    }
    try shipping.restart(tune)
    let report = try #require(try shipping.ship())
    let gap = try #require(report.gap)
    #expect(gap.lowerBound == sent.next && known.contains(gap.upperBound) && report.needsBackup, "\(report)")
    try shipping.expect([sent], "before the gap")
    try shipping.expectRefusal(of: known, "in the gap and behind it")
    try shipping.restart(tune)
    try shipping.life.commit()
    let again = try #require(try shipping.ship())
    #expect(again.gap == nil && again.needsBackup, "what is behind the gap leads on from no backup: \(again)")
    try shipping.expectRefusal(of: known + [shipping.sent], "still")
    try shipping.back()
    try shipping.life.commit()
    #expect(try shipping.ship()?.needsBackup == false)
    try shipping.expect([sent, shipping.sent], "whole again")
    try shipping.expectRefusal(of: known.filter(gap.contains), "in the gap")
  }

  /// A mark that ends a segment is sent last, and may go unsent. No commit is missing then, and none is given up.
  @Test func aMarkThatWentUnsentIsNoGap() throws {
    func tune(_ options: inout StoreOptions) { options.unshippedLogByteCount = 2 * 4096 }
    let shipping = try Shipping(Life(seed: 24, SimulatedFileSystem(), tune: tune), seed: 24)
    for _ in 0..<6 { try shipping.life.commit() }
    try shipping.back()
    try shipping.life.commit()
    shipping.life.store.markDurable()
    try shipping.ship()
    var known = [shipping.sent]
    for number in 0..<3 {
      if number > 0 { try shipping.life.commit() }
      try shipping.life.store.sealAll()
      known.append(shipping.life.store.sequence)
    }
    try shipping.life.commit()
    known.append(shipping.life.store.sequence)
    let first = try shipping.life.store.viewLog().segments.first?.first
    #expect(first == shipping.sent.next, "the segment with the mark is gone")
    let report = try #require(try shipping.ship())
    #expect(report.gap == nil && !report.needsBackup, "\(report)")
    try shipping.expect(known, "behind the mark")
    #expect(try shipping.verify().isSound)
  }

  /// A round that ends early has sent some of what was acknowledged before it began: it does not say it was all.
  @Test func aRoundThatEndsEarlyReachesNoFurtherThanItsCommits() throws {
    let shipping = try Shipping(Life(seed: 25, SimulatedFileSystem(), tune: Self.tune), seed: 25)
    for _ in 0..<3 { try shipping.life.commit() }
    try shipping.back()
    // Each segment is a piece of its own.
    var known: [Sequence] = []
    while try shipping.life.store.viewLog().segments.count < 4 {
      try shipping.life.commit()
      known.append(shipping.life.store.sequence)
    }
    shipping.stop()
    var checks = 0
    let shipper = try LogShipper(shipping.life.store, to: shipping.place)
    #expect(throws: VarveError.self) {
      _ = try shipper.ship {
        checks += 1
        if checks == 3 { throw VarveError(.cancelled, "closing") }
      } _: {
        try shipping.life.store.viewLog()
      }
    }
    shipper.stop()
    let (last, _) = try Shipping.restoredToEnd(on: shipping.life.disk)
    let isThere = known.filter { $0 < last }
    #expect(!isThere.isEmpty && known.contains { $0 > last }, "\(last) of \(known)")
    try shipping.expect(isThere, "sent")
    try shipping.expectRefusal(of: known.filter { $0 > last }, "not sent")
    // Of one backup that is named, too.
    let manifest = try shipping.newest()
    let time = try #require(known.last.flatMap { shipping.life.times[$0] })
    let error = #expect(throws: VarveError.self) {
      try BackupRestore(manifest, from: shipping.place, files: shipping.life.disk, clock: ManualClock())
        .run(to: "/sim/restored", .limit(.time(time)))
    }
    #expect(error?.code == .invalidArgument)
    try shipping.ship()
    try shipping.expect(known, "all sent")
  }
}
