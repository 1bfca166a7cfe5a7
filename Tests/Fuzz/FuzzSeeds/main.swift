// Writes the first inputs of the fuzz targets: fuzz-seeds DIRECTORY. What the engine wrote about a small store, taken
// apart, and texts and messages as clients send them.

import Foundation
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

private let root = CommandLine.arguments.dropFirst().first ?? "corpus"

private func write(_ target: String, _ seeds: [[UInt8]]) throws {
  let directory = URL(fileURLWithPath: root).appendingPathComponent(target)
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  for (number, seed) in seeds.enumerated() {
    try Data(seed).write(to: directory.appendingPathComponent("seed-\(number)"))
  }
}

// MARK: - What clients and object stores send

private let answers = [
  "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
    + "<NextContinuationToken>t</NextContinuationToken><Contents><Key>a%2Fb+c</Key><Size>12</Size></Contents>"
    + "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>",
  "<Error><Code>SlowDown</Code><Message>a&amp;b&#x41;<![CDATA[<c>]]></Message><!-- d --><e f='g'/></Error>",
  "<DeleteResult><Error><Key>k</Key><Code>c</Code></Error></DeleteResult>",
  "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
    + "<NextUploadIdMarker>i</NextUploadIdMarker><Upload><Key>a</Key><UploadId>1</UploadId></Upload>"
    + "</ListMultipartUploadsResult>",
  "<CompleteMultipartUploadResult><ETag>\"t\"</ETag><ChecksumCRC32C>AAAA</ChecksumCRC32C></CompleteMultipartUploadResult>",
  "bytes 0-9/100", "bytes */7", "Sun, 06 Nov 1994 08:49:37 GMT", "a%20b%C3%BC",
]

private let lines = [
  "cpu,host=a,zone=z usage=1.5,n=7i,u=8u,ok=t,s=\"te\\\"xt\" 1700000000000000000\n",
  "m v=1\nm v=2 2\n#sync token\n\n# comment\nm,t=x\\ y,u=\\,z v=-1e-9 -5\n",
  "weather,station=1 temperature=21.5,state=\"line\nbreak\" 1\n", "m,a=b c=nan\nm c=0x1F\nm,=x v=1\nm v=\n",
]

private let csv = [
  "time,host,v\n2024-01-01T00:00:00Z,a,1.5\n2024-01-01 00:00:01,b,2\n",
  "time,host,s\n1,a,\"x \"\"y\"\" z\"\n2,b,\"\n\"\n",
  "host;time;n\na;5;7\n", "time,v\r\n1,true\r\n2,\r\n",
]

private let copyRow = "2024-01-01 00:00:00+00\ta\t1\tx\\ty\t7\n2024-01-01 00:00:01Z\tb\t\\N\t\\101\t\\N\n"
private let copyCSV = "2024-01-01 00:00:00+00,a,1,\"x,\"\"y\"\"\nz\",7\n2024-01-01 00:00:01Z,a,,,\n\\.\nrest"
private let copyHeader = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + [UInt8](repeating: 0, count: 8)
private let eight: [UInt8] = [0, 0, 0, 8, 0, 2, 0xB0, 0x65, 0x51, 0xE0, 0, 0]
private let copies: [(choice: UInt8, data: [UInt8])] = [
  (0, Array(copyRow.utf8)), (8, Array(("h\n" + copyRow).utf8)), (1, Array(copyCSV.utf8)),
  (1, Array(copyCSV.replacingOccurrences(of: "\n", with: "\r\n").utf8)),
  (25, Array(("time,host,n,s,u\n" + copyCSV).utf8)),
  (37, Array("2024-01-01 00:00:00+00,a,1,\"\\\"\",7,z\n".utf8)),
  (
    2,
    copyHeader + [0, 5] + eight + int32(1) + [0x61] + eight + int32(2) + [0x62, 0x63] + int32(10)
      + [0, 1, 0, 0, 0, 0, 0, 0, 0, 7] + [0xFF, 0xFF]
  ),
  (2, copyHeader + [0, 5] + eight + int32(-1) + int32(-1) + int32(-1) + int32(-1)),
  // Whole rows.
  (64, Array("12\t\\N\tx\\ty\n\\N\t\\N\tzz\n".utf8)), (65, Array("12,\"\",\"a\nb\"\n34,,56\n".utf8)),
  (66, copyHeader + [0, 3] + int32(2) + [0x61, 0x62] + int32(-1) + int32(0) + [0xFF, 0xFF]),
]

private func int32(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
private func packet(_ body: [UInt8]) -> [UInt8] { int32(body.count + 4) + body }
private func message(_ type: Character, _ body: [UInt8] = []) -> [UInt8] { [type.asciiValue ?? 0] + packet(body) }
private func text(_ string: String) -> [UInt8] { Array(string.utf8) + [0] }

private let startup = packet(int32(3 << 16) + text("user") + text("u") + text("database") + text("d") + [0])
private let postgres: [[UInt8]] = [
  startup + message("Q", text("SELECT 1")) + message("X"), packet(int32(80_877_103)) + startup,
  packet(int32(80_877_102) + int32(1) + int32(2)),
  startup + message("P", text("s") + text("SELECT $1") + [0, 1] + int32(25))
    + message("B", text("p") + text("s") + [0, 1, 0, 1, 0, 1] + int32(2) + [0x61, 0x62, 0, 0])
    + message("D", [0x50] + text("p")) + message("E", text("p") + int32(5)) + message("C", [0x53] + text("s"))
    + message("H") + message("S"),
  // A transaction with a portal that is run in pieces, a cursor of that name, and a COPY out.
  startup + message("Q", text("BEGIN...")) + message("P", text("s") + text("SELECT") + [0, 0])
    + message("B", text("p") + text("s") + [0, 0, 0, 0, 0, 0]) + message("E", text("p") + int32(2)) + message("S")
    + message("E", text("p") + int32(2)) + message("S") + message("Q", text("CLOSE p"))
    + message("Q", text("CLOSE p..."))
    + message("D", [0x50] + text("p")) + message("S") + message("Q", text("DECLARE p"))
    + message("D", [0x50] + text("p"))
    + message("Q", text("COPY TO STDOUT?")) + message("Q", text("ROLLBACK")),
]

// MARK: - What the engine writes

private func batch(_ number: Int) -> PointBatch {
  let count = 40
  let words = Buffer((0..<count).map { UInt64($0 * number) })
  let texts = Buffer<UInt8>(Array("abc".utf8))
  let refs = Buffer((0..<count).map { TextRef(offset: $0 % 3, length: 1).word })
  return PointBatch(
    table: "t\(number % 2)",
    series: [SeriesKey(tags: [("host", "a\(number)")]), SeriesKey(tags: [("host", "b"), ("zone", "z")])],
    rowSeries: Buffer((0..<count).map { UInt32($0 % 2) }), times: Buffer((0..<count).map { Int64($0 * 1000 - 7) }),
    fields: [
      .init(name: "n", column: FieldColumn(type: .int64, words: words)),
      .init(
        name: "v", column: FieldColumn(type: .float64, words: Buffer((0..<count).map { (Double($0) / 3).bitPattern }))),
      .init(name: "s", column: FieldColumn(type: .text, words: refs, text: texts)),
      .init(name: "b", column: FieldColumn(type: .bool, words: Buffer((0..<count).map { UInt64($0 % 2) }))),
    ])
}

/// A dimension table with a column of every type, whose rows and columns come and go.
private func writeDimensions(_ store: Store, turn: Int) throws {
  let types: [DimensionType] = [
    .text, .boolean, .smallint, .integer, .bigint, .real, .double, .timestamptz, .date,
    .numeric(precision: 9, scale: 2), .numeric(precision: nil, scale: 0),
  ]
  let values: [DimensionValue] = [
    .bytes([0x61, 0, 0x62]), .boolean(true), .integer(-1), .integer(70_000), .integer(.max), .float(0x3FF8 << 48),
    .float(0x7FF8 << 48), .integer(1_700_000_000_000_000_000), .integer(19_000), .bytes(Array("1.50".utf8)),
    .bytes(Array("NaN".utf8)),
  ]
  if turn == 0 {
    let columns = types.enumerated().map { number, type in
      DimensionColumn(
        id: ColumnID(rawValue: UInt16(number)), name: "c\(number)", type: type, isNotNull: number < 8,
        default: number == 7 ? .now : .value(values[number]))
    }
    let definition = DimensionDefinition(
      name: "devices", columns: columns, key: [2, 0, 1, 6].map { ColumnID(rawValue: $0) })
    for result in store.commit([.createDimension(definition)]) { _ = try result.get() }
  }
  let alterations: [[TableAlteration]] = [
    [], [.addColumn(DimensionColumn(id: ColumnID(rawValue: 0), name: "new", type: .text, older: .bytes([0x78])))],
    [.renameColumn("c8", to: "day"), .dropColumn("c9")], [.renameTable(to: "machines")], [.renameTable(to: "devices")],
    [],
  ]
  if turn > 0, !alterations[turn].isEmpty {
    let name = turn == 4 ? "machines" : "devices"
    for result in store.commit([.alterTable(name, alterations[turn])]) { _ = try result.get() }
  }
  guard let schema = store.snapshot().dimensions().first else { preconditionFailure("there is one") }
  let changes = try (0..<4).map { number -> DimensionRows.Change in
    var row = values + [DimensionValue](repeating: .null, count: schema.nextColumn - values.count)
    row[2] = .integer(Int64(number))
    let key = try schema.key(of: row)
    return DimensionRows.Change(key: key, row: number == turn ? nil : DimensionRow.encoded(row))
  }
  let write = DimensionWrite(schema: schema, isCleared: turn == 3, changes: changes)
  for result in store.commit([.transaction(TransactionWrites(dimensions: [write]))]) { _ = try result.get() }
}

private func makeStore() throws -> SimulatedFileSystem {
  let disk = SimulatedFileSystem()
  var options = StoreOptions(directory: "/sim/db", fileSystem: disk, clock: ManualClock())
  options.segmentByteCount = 16_384
  options.manifestByteCount = 4096
  let store = try Store.open(options)
  try writeDimensions(store, turn: 0)
  for number in 1...5 {
    for result in store.commit([.write([batch(number)])]) { _ = try result.get() }
    store.markDurable()
    try writeDimensions(store, turn: number)
    if number == 2 { try store.sealAll() }
    // Of chunks and of rows in memory, of all series and of some: those of the third commit come to the manifest, those
    // of the fifth stay in the log.
    if number == 3 || number == 5 {
      let deletes = try store.snapshot().tables().map { table in
        DeleteRequest(
          table: table.id, series: table.id.rawValue == 1 ? .all : .some([SeriesID(rawValue: 0)]),
          time: TimeRange(lower: 0, upper: 5000))
      }
      for result in store.commit([.delete(deletes, then: [batch(3)])]) { _ = try result.get() }
      if number == 3 { try store.sealAll() }
    }
  }
  try store.close()
  return disk
}

/// The bodies of a log file's records.
private func bodies(_ bytes: [UInt8], _ kinds: Set<UInt8>) throws -> [[UInt8]] {
  let file = FileID(rawValue: (0..<8).reduce(0) { $0 | UInt64(bytes[16 + $1]) << UInt64($1 * 8) })
  return try bytes.withUnsafeBytes { raw in
    try LogScan(raw, file: file).frames.filter { kinds.contains($0.kind) }.map {
      try LogBody.unpack(UnsafeRawBufferPointer(rebasing: raw[$0.payload]))
    }
  }
}

/// A chunk whose pages need every codec that full compaction has, and with summaries.
private func smallestChunk() throws -> [UInt8] {
  let count = 300
  var state: UInt64 = 7
  func random(_ bits: UInt64) -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> (64 - bits)
  }
  var walk: UInt64 = 1000
  func column(_ type: FieldType, _ word: (Int) -> UInt64) -> FieldColumn {
    FieldColumn(type: type, words: Buffer((0..<count).map(word)))
  }
  let columns = [
    column(.int64) { _ in
      walk &+= random(2) &+ random(2) &+ random(2) &- 4
      return random(7) == 0 ? walk &+ random(50) : walk
    },
    column(.float64) { $0 % 50 == 9 ? Double.nan.bitPattern : (Double(random(14)) / 100).bitPattern },
    column(.float64) { _ in Double(bitPattern: 0x3FF0_0000_0000_0000 | random(52)).bitPattern },
    column(.uint64) { _ in [200, 404, 500, 1 << 40][Int(random(2))] }, column(.bool) { _ in random(4) == 0 ? 1 : 0 },
  ]
  let identity = ChunkIdentity(
    file: FileID(rawValue: 9), table: TableID(rawValue: 1), partition: 0, partitionNanoseconds: 3_600_000_000_000,
    firstSequence: .zero, lastSequence: .zero, wallNanoseconds: 0)
  let block = RowBlock(
    runs: [SeriesRun(series: SeriesID(rawValue: 1), count: count)],
    times: Buffer((0..<count).map { Int64($0) * 1_000_000_000 }),
    fields: columns.enumerated().map { (ColumnID(rawValue: UInt16($0)), $1) })
  var builder = ChunkBuilder(identity: identity, effort: .smallest, summaryStep: .minute)
  return try builder.appendRowBlock(block) + builder.finish()
}

/// A small file with a column of each kind.
private func parquet(rows: Int) -> [UInt8] {
  let text = Buffer(Array("some text".utf8))
  func words(_ word: (Int) -> UInt64) -> Buffer<UInt64> { Buffer((0..<rows).map(word)) }
  func texts(_ length: Int) -> ParquetVector {
    ParquetVector(words: words { TextRef(offset: $0 % 2, length: length).word }, bytes: text)
  }
  let presence = Buffer((0..<rows).map { UInt8($0 % 3 == 0 ? 0 : 1) })
  let writer = ParquetWriter([
    ParquetColumn("time", .int64, .timestamp(.microseconds, isUTC: true), isRequired: true),
    ParquetColumn("n", .int32), ParquetColumn("v", .double), ParquetColumn("ok", .boolean),
    ParquetColumn("s", .bytes, .text), .decimal("d", precision: 15, scale: 2),
  ])
  writer.append([
    ParquetVector(words: words { UInt64($0) * 1_000_000 }), ParquetVector(words: words { UInt64($0 % 5) }),
    ParquetVector(words: words { (Double($0) / 3).bitPattern }, presence: presence),
    ParquetVector(words: words { UInt64($0 % 2) }), texts(6), texts(7),
  ])
  writer.finish()
  return writer.takeBytes()
}

/// What the target makes pages of: type, encoding, rows, then the bodies of a dictionary, a remainder and the page.
private func objectPage(
  _ type: UInt8, _ encoding: UInt8, rows: UInt8, dictionary: [UInt8] = [], count: UInt8 = 0, rest: [UInt8] = [],
  _ body: [UInt8]
) -> [UInt8] {
  [type, encoding, rows, count, UInt8(dictionary.count), UInt8(rest.count)] + dictionary + rest + body
}

/// Levels of rows that all have a value.
private func levels(_ rows: UInt8) -> [UInt8] { [2, 0, 0, 0, rows << 1, 1] }
private let eightBytes: [UInt8] = [1, 2, 3, 4, 5, 6, 0, 0]
private let objectPages: [[UInt8]] = [
  // Times plain, with what they leave; as differences.
  objectPage(0, 0, rows: 2, rest: [7, 0, 0, 0, 9, 0, 0, 0], eightBytes + eightBytes),
  objectPage(0, 5, rows: 3, [0x80, 1, 4, 3, 20, 2, 0, 0, 0, 0]),
  objectPage(1, 0, rows: 2, levels(2) + eightBytes + eightBytes), objectPage(1, 9, rows: 1, levels(1) + eightBytes),
  objectPage(2, 5, rows: 3, levels(3) + [0x80, 1, 4, 3, 20, 2, 2, 0, 0, 0, 9] + [UInt8](repeating: 0, count: 7)),
  objectPage(3, 0, rows: 1, levels(1) + [0] + eightBytes),
  objectPage(3, 8, rows: 9, dictionary: [0] + eightBytes, count: 1, levels(9) + [1, 18, 0]),
  objectPage(4, 0, rows: 9, [3, 0, 0, 0, 5, 0xFF, 1] + [0x55, 1]),
  objectPage(5, 0, rows: 2, levels(2) + [1, 0, 0, 0, 0x61, 0, 0, 0, 0]),
  objectPage(5, 8, rows: 8, dictionary: [1, 0, 0, 0, 0x61, 0, 0, 0, 0], count: 2, levels(8) + [1, 3, 0xAA]),
  objectPage(6, 0, rows: 1, rest: levels(1) + [7, 0, 0, 0], levels(1) + eightBytes),
]

let disk = try makeStore()
func contents(_ suffix: String) -> [[UInt8]] { disk.paths.filter { $0.hasSuffix(suffix) }.compactMap(disk.contents) }

try write("line-protocol", lines.map { Array($0.utf8) })
try write("s3", answers.map { Array($0.utf8) })
try write("csv", csv.map { Array($0.utf8) })
try write("copy", copies.map { [$0.choice] + $0.data })
try write("postgres", postgres)
try write("commit-record", try contents(".wal").flatMap { try bodies($0, [1]) })
try write("manifest-edit", try contents(".manifest").flatMap { try bodies($0, [1, 2]) })
try write("series-record", try contents(".series").flatMap { try bodies($0, [1]) })
try write("log-file", contents(".wal").map { Array($0.prefix(2048)) } + contents(".manifest") + contents(".series"))
try write("dimension-file", contents(".dimension") + (try contents(".dimension").flatMap { try bodies($0, [1, 2]) }))
try write("chunk", contents(".chunk") + [smallestChunk()])
try write("parquet", [parquet(rows: 40), parquet(rows: 3)])
try write("object-page", objectPages)
