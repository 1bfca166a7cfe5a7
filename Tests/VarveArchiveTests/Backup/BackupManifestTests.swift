import Testing
import VarveArchive
import VarveCore
import VarveFormat
import VarveStorage

@Suite struct BackupManifestTests {
  @Test func aManifestIsReadAsItWasWritten() throws {
    let manifest = Self.manifest
    #expect(try BackupManifest.decode(manifest.encoded(), place: "here") == manifest)
    #expect(manifest.byteCount == 230 && manifest.restoredByteCount == 4096 + 100 + 70)
  }

  @Test func anyBitThatChangesIsNoticed() {
    let bytes = Self.manifest.encoded()
    for bit in 0..<(bytes.count * 8) {
      var changed = bytes
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      let error = #expect(throws: VarveError.self, "bit \(bit)") { try BackupManifest.decode(changed, place: "here") }
      #expect(error?.code == .corruption && error?.place == "here", "bit \(bit)")
    }
    for count in 0..<bytes.count {
      #expect(throws: VarveError.self, "cut to \(count)") {
        try BackupManifest.decode(Array(bytes.prefix(count)), place: "here")
      }
    }
  }

  /// The format's version, and that of the state that it holds.
  @Test(arguments: [8, 24])
  func aNewerVersionIsRefusedAsSuch(offset: Int) {
    var bytes = Self.manifest.encoded()
    bytes[offset] = 99
    let sum = CRC32C.checksum(Array(bytes[16...]), seed: CRC32C.checksum(Array(bytes[..<12])))
    for i in 0..<4 { bytes[12 + i] = UInt8(truncatingIfNeeded: sum >> (UInt32(i) * 8)) }
    let error = #expect(throws: VarveError.self) { try BackupManifest.decode(bytes, place: "here") }
    #expect(error?.code == .unsupportedVersion)
  }

  @Test func aStoreIsNamedByItsDigits() {
    let store = StoreIdentity(rawValue: 0xAB)
    #expect("\(store)" == "00000000000000ab")
    #expect(StoreIdentity("00000000000000ab") == store)
    for wrong in ["", "ab", "00000000000000AB", "000000000000000g", "+0000000000000ab"] {
      #expect(StoreIdentity(wrong) == nil, "\(wrong)")
    }
  }

  private static var manifest: BackupManifest {
    BackupManifest(
      store: StoreIdentity(rawValue: 77), number: 3, wallNanoseconds: -5, sequence: Sequence(rawValue: 9),
      leastSequence: Sequence(rawValue: 4),
      checkpoint: ManifestEdit(
        wallNanoseconds: 1, flushed: Sequence(rawValue: 4),
        logStart: LogPosition(file: FileID(rawValue: 2), offset: 64),
        seriesFile: FileID(rawValue: 1), seriesByteCount: 70, nextFile: FileID(rawValue: 8),
        nextTable: TableID(rawValue: 2)),
      files: [
        BackupFile(
          kind: .segment, id: FileID(rawValue: 2), byteCount: 4096, fingerprint: .max,
          pieces: [.init(byteCount: 40, checksum: 1), .init(byteCount: 20, checksum: .max)]),
        BackupFile(
          kind: .series, id: FileID(rawValue: 1), byteCount: 70, fingerprint: 0,
          pieces: [.init(byteCount: 70, checksum: 5)]),
        BackupFile(
          kind: .chunk, id: FileID(rawValue: 5), byteCount: 100, fingerprint: 6,
          pieces: [.init(byteCount: 100, checksum: 8)]),
      ], rowCounts: [.init(table: TableID(rawValue: 1), rows: 12)])
  }
}
