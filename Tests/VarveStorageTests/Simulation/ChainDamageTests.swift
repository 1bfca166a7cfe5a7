import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Damage anywhere in a store of many files: a log of several segments, several chunks, a manifest of several edits. It
/// is reported, or it harms nothing; it is never cut away in silence, and never another row.
@Suite struct ChainDamageTests {
  private let disk: SimulatedFileSystem
  /// After each commit.
  private let models: [Model]

  init() throws {
    disk = SimulatedFileSystem()
    let store = try Store.open(Self.options(disk))
    var models = [Model()]
    for number in 1...20 {
      var random = SeededRandom(seed: UInt64(number))
      // A text that does not compress.
      let text = String((0..<900).map { _ in Character(UnicodeScalar(UInt8(33 + random.next() % 90))) })
      let row = ModelRow(
        table: "t\(number % 2)", identity: Identity(tags: ["h": "h\(number % 5)"], time: Int64(number)),
        fields: ["v": .integer(Int64(number)), "s": .text(text)])
      _ = try store.commit([.write(batches([row]))])[0].get()
      store.markDurable()
      var next = models[number - 1]
      next.write(row)
      models.append(next)
      if number == 3 || number == 6 { try store.sealAll() }
    }
    try store.close()
    self.models = models
  }

  private static func options(_ disk: SimulatedFileSystem) -> StoreOptions {
    var options = Run.options(disk, ManualClock())
    options.segmentByteCount = 4096
    return options
  }

  private static let kinds = ["wal", "manifest", "series", "chunk"]

  private func paths(_ kind: String) -> [String] { disk.paths.filter { $0.hasSuffix("." + kind) } }

  private func contents(_ path: String) throws -> [UInt8] { try #require(disk.contents(path)) }

  @Test func theLogOfThisTestHasSegmentsInTheMiddle() {
    #expect(paths("wal").count >= 4 && paths("chunk").count >= 4)
  }

  /// Of small files `DamageTests` flips every bit.
  @Test(arguments: kinds) func aFlippedBitInBytesAllOver(kind: String) throws {
    for path in paths(kind) {
      for byte in stride(from: 0, to: try used(path), by: kind == "series" ? 1 : 5) {
        let damaged = disk.clone()
        damaged.flip(path, bit: byte * 8 + byte * 5 % 8)
        check(damaged, "\(path), byte \(byte)", path, byte..<(byte + 1))
      }
    }
  }

  @Test(arguments: kinds) func manyLengthsOfAnyFile(kind: String) throws {
    for path in paths(kind) {
      let count = try contents(path).count
      for length in stride(from: 0, to: count, by: 40) {
        let damaged = disk.clone()
        damaged.cut(path, to: length)
        check(damaged, "\(path) cut to \(length)", path, length..<count)
      }
      let damaged = disk.clone()
      damaged.replace(path, with: try contents(path) + [UInt8](repeating: 0xA5, count: 100))
      check(damaged, "\(path) with bytes behind it", path, 0..<0)
    }
  }

  @Test(arguments: kinds) func swappedCopiedAndMissingFiles(kind: String) throws {
    let paths = paths(kind)
    for path in paths {
      for other in paths where other != path {
        let copied = disk.clone()
        copied.replace(path, with: try contents(other))
        check(copied, "\(other) over \(path)", path, 0..<0)
        copied.replace(other, with: try contents(path))
        check(copied, "\(path) and \(other) swapped", path, 0..<0)
      }
      let damaged = disk.clone()
      try damaged.remove(path)
      check(damaged, "\(path) removed", path, 0..<Int.max)
    }
  }

  /// Blocks that a disk lost or wrote to another place: zeros, or some other block of this file or another.
  @Test(arguments: kinds, [64, 512]) func lostAndMisdirectedBlocks(kind: String, size: Int) throws {
    var random = SeededRandom(seed: UInt64(size))
    let paths = paths(kind)
    for path in paths {
      let bytes = try contents(path)
      for start in stride(from: 0, to: try used(path), by: size) {
        let range = start..<min(start + size, bytes.count)
        var zeroed = bytes
        zeroed.replaceSubrange(range, with: [UInt8](repeating: 0, count: range.count))
        try checkReplaced(path, zeroed, "\(path) zeroed at \(range)", range)
        let source = try contents(paths.randomElement(using: &random) ?? path)
        let from = Int.random(in: 0...max(0, source.count - range.count), using: &random) / 8 * 8
        var misdirected = bytes
        misdirected.replaceSubrange(range, with: source[from..<min(source.count, from + range.count)])
        guard misdirected.count == bytes.count else { continue }
        try checkReplaced(path, misdirected, "\(path) at \(range) holds what stood at \(from) elsewhere", range)
      }
    }
  }

  private func checkReplaced(_ path: String, _ bytes: [UInt8], _ label: String, _ range: Range<Int>) throws {
    let damaged = disk.clone()
    damaged.replace(path, with: bytes)
    check(damaged, label, path, range)
  }

  private func used(_ path: String) throws -> Int { (try contents(path).lastIndex { $0 != 0 } ?? 0) + 1 }

  private func check(_ disk: SimulatedFileSystem, _ label: String, _ path: String, _ range: Range<Int>) {
    let verified = Result { try StoreVerifier.verify(directory: "/sim/db", files: disk).isSound }
    do {
      let found = try Model.reading(try Store.open(Self.options(disk)))
      guard found != models.last else { return }
      // Nothing in a log names its end: where that is gone with all its signs, the last mark too, nobody can know.
      let end = try used(path)
      let isEnd = path == paths("wal").last && range.upperBound > end - 32
      #expect(isEnd && models.contains(found), "\(label): \(found.rowCount) rows of \(models.count - 1), in silence")
    } catch let error as VarveError {
      #expect([.corruption, .unsupportedVersion].contains(error.code), "\(label): \(error)")
      #expect(error.place?.contains("/sim/db/") ?? false, "\(label): the error names the file: \(error)")
      #expect((try? verified.get()) != true, "\(label): verify finds nothing, but \(error)")
    } catch {
      Issue.record("\(label): \(error)")
    }
  }
}
