// Files with bytes that no engine wrote, under checksums that are right: what an attacker or a bug would make.

import VarveCore
import VarveFormat
import VarveSimulator
import VarveStorage

/// A log file (segment, manifest, series or dimension file) taken apart.
struct CraftedLog {
  struct Frame {
    var kind: UInt8
    var sequence: Sequence
    var durable: UInt64
    /// Unwrapped where the payload is wrapped.
    var body: [UInt8]
    let isWrapped: Bool
  }

  let header: LogHeader
  private let byteCount: Int
  var frames: [Frame] = []

  init(_ bytes: [UInt8], _ kind: LogHeader.Kind) throws {
    header = try LogHeader.decode(bytes, expected: kind, place: "here")
    byteCount = bytes.count
    frames = try bytes.withUnsafeBytes { raw in
      try LogScan(raw, file: header.file).frames.map { frame in
        let payload = UnsafeRawBufferPointer(rebasing: raw[frame.payload])
        let isWrapped = frame.kind == 1 || (kind == .manifest || kind == .dimension) && frame.kind == 2
        return Frame(
          kind: frame.kind, sequence: frame.sequence, durable: frame.durable,
          body: isWrapped ? try LogBody.unpack(payload) : Array(payload), isWrapped: isWrapped)
      }
    }
  }

  /// The file with its frames back to back. Claims of durability are left out: they name places that have moved.
  func encoded() -> [UInt8] {
    var bytes = LogHeader(
      kind: header.kind, file: header.file, preallocatedByteCount: header.preallocatedByteCount, wallNanoseconds: 0
    ).encoded()
    for each in frames {
      var body = ByteWriter()
      body.append(each.body)
      var frame =
        each.isWrapped ? LogBody.frame(body) : [UInt8](repeating: 0, count: RecordFrame.headerByteCount) + each.body
      RecordFrame.seal(
        &frame, kind: each.kind, sequence: each.sequence, durable: 0, file: header.file, offset: bytes.count)
      bytes += frame
    }
    let missing = header.preallocatedByteCount == 0 ? 0 : byteCount - bytes.count
    return missing > 0 ? bytes + [UInt8](repeating: 0, count: missing) : bytes
  }
}

/// A chunk whose checksums are made right again after any change of its other bytes. Lengths stay.
enum CraftedChunk {
  static func resealed(_ bytes: [UInt8], _ original: ChunkContents) -> [UInt8] {
    var bytes = bytes
    let file = original.identity.file
    func store(_ value: UInt32, _ at: Int) {
      for i in 0..<4 { bytes[at + i] = UInt8(truncatingIfNeeded: value >> (UInt32(i) * 8)) }
    }
    func checksum(_ range: Range<Int>, _ offset: Int) -> UInt32 {
      CRC32C.checksum(Array(bytes[range]), seed: CRC32C.salt(file: file, offset: offset))
    }
    for block in original.index.rowBlocks {
      for page in [block.seriesPage, block.timesPage] + block.fields.map(\.page) {
        store(checksum((page.offset + 4)..<(page.offset + page.byteCount), page.offset), page.offset)
      }
    }
    let index = original.footer.indexOffset
    let footer = bytes.count - ChunkFooter.byteCount
    store(checksum(index..<footer, index), footer + 4)
    store(checksum((footer + 4)..<bytes.count, footer), footer)
    let front = checksum(0..<12, 0)
    store(CRC32C.checksum(Array(bytes[16..<ChunkHeader.byteCount]), seed: front), 12)
    return bytes
  }
}

/// Bytes a little other than they were.
func mutated(_ bytes: [UInt8], _ random: inout SeededRandom, keepingLength: Bool = false) -> [UInt8] {
  guard !bytes.isEmpty else { return keepingLength ? bytes : [UInt8(truncatingIfNeeded: random.next())] }
  var bytes = bytes
  let at = Int(random.next() % UInt64(bytes.count))
  let extreme: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF]
  switch random.next() % (keepingLength ? 3 : 7) {
  case 0: bytes[at] ^= 1 << UInt8(random.next() % 8)
  case 1: bytes[at] = extreme[Int(random.next() % 5)]
  case 2: for i in at..<min(bytes.count, at + Int(random.next() % 9) + 1) { bytes[i] = 0xFF }
  // The greatest numbers of 16, 31, 32, 63 and 64 bits as varints, in place of one byte.
  case 3:
    let varints: [[UInt8]] = [
      [0xFF, 0xFF, 3], [0xFF, 0xFF, 0xFF, 0xFF, 7], [0xFF, 0xFF, 0xFF, 0xFF, 15],
      [UInt8](repeating: 0xFF, count: 8) + [0x7F], [UInt8](repeating: 0xFF, count: 9) + [1],
    ]
    bytes.replaceSubrange(at...at, with: varints[Int(random.next() % 5)])
  case 4: bytes.remove(at: at)
  case 5: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + Int(random.next() % 24))], at: at)
  default: bytes.removeLast(bytes.count - at)
  }
  return bytes
}
