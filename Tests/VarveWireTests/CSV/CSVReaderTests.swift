import Foundation
import Testing
import VarveCore

@testable import VarveWire

struct CSVReaderTests {
  private func read(
    _ text: String, cuts: Int? = nil, _ change: (inout CSVOptions) -> Void = { _ in }
  ) throws -> (points: [ParsedPoint], rejections: [Rejection], types: [String: FieldType]) {
    var options = CSVOptions(table: "t")
    change(&options)
    let reader = CSVReader(options: options)
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: cuts ?? max(bytes.count, 1)) {
      try reader.parse(Array(bytes[start..<min(start + (cuts ?? bytes.count), bytes.count)]))
    }
    try reader.finish()
    var rows: [ParsedPoint] = []
    var types: [String: FieldType] = [:]
    for batch in reader.takeBatches() {
      rows += points(of: batch)
      for field in batch.points.fields { types[field.name] = field.column.type }
    }
    let rejected = reader.takeRejected()
    #expect(reader.recordCount == rows.count + rejected.count)
    return (rows, rejected.rejections, types)
  }

  @Test func typesAreFoundOutFromTheValues() throws {
    let found = try read(
      "time,host,i,d,b,s,e,q\n1,a,1,1,true,x,,\"1\"\n2,b,-2,2.5,F,5,,\"2\"\n3,a,,-1e-3,,,,\"\"\n",
      { $0.tagColumns = ["host"] })
    #expect(found.rejections == [])
    #expect(found.types == ["i": .int64, "d": .float64, "b": .bool, "s": .text, "q": .text])
    #expect(
      found.points == [
        ParsedPoint(
          line: 2, table: "t", tags: ["host": "a"],
          fields: [
            "i": .int(1), "d": .float(1.0.bitPattern), "b": .bool(true), "s": .text("x"), "q": .text("1"),
          ], time: 1),
        ParsedPoint(
          line: 3, table: "t", tags: ["host": "b"],
          fields: [
            "i": .int(-2), "d": .float(2.5.bitPattern), "b": .bool(false), "s": .text("5"), "q": .text("2"),
          ], time: 2),
        ParsedPoint(
          line: 4, table: "t", tags: ["host": "a"], fields: ["d": .float((-1e-3).bitPattern), "q": .text("")], time: 3),
      ])
  }

  @Test func quotedFieldsHoldAnything() throws {
    let text = "time,s,\"a \"\"name\"\"\"\r\n1,\"x, \"\"y\"\"\r\nz\",k\r\n\r\n2,plain,\"\"\r\n3,\"last\",é"
    let whole = try read(text)
    #expect(whole.rejections == [])
    #expect(whole.points.map(\.line) == [2, 5, 6])
    #expect(whole.points.map { $0.fields["s"] } == [.text("x, \"y\"\r\nz"), .text("plain"), .text("last")])
    #expect(whole.points.map { $0.fields["a \"name\""] } == [.text("k"), .text(""), .text("é")])
    for size in 1..<20 {
      let cut = try read(text, cuts: size)
      #expect(cut.points == whole.points)
    }
  }

  @Test func badRecordsAreRejectedAtTheirPlace() throws {
    let text =
      "time,v,s\n1,1,a\n2,1\n3,x,a\nnever,1,a\n4,1,a\"b\n5,1,\"a\"b\n6,2,\(String(repeating: "x", count: 100))\n7,3,ok\n8,1,\"open"
    let found = try read(text) {
      $0.types = ["v": .int64]
      $0.recordByteLimit = 50
    }
    #expect(found.points.map(\.time) == [1, 7])
    #expect(found.rejections.sorted { $0.line < $1.line }.map(\.line) == [3, 4, 5, 6, 7, 8, 10])
    #expect(found.rejections.sorted { $0.line < $1.line }.map(\.column) == [1, 3, 1, 6, 8, 1, 5])
    #expect(
      found.rejections.sorted { $0.line < $1.line }.map(\.code) == [
        .syntax, .typeConflict, .invalidTimestamp, .syntax, .syntax, .lineTooLong, .syntax,
      ])
  }

  @Test func aTypeStandsOnceTheSampleIsOver() throws {
    let found = try read("time,v\n1,1\n2,2\n3,2.5\n4,4\n", { $0.sampleRowLimit = 2 })
    #expect(found.types == ["v": .int64])
    #expect(found.points.map(\.time) == [1, 2, 4])
    #expect(found.rejections.map(\.code) == [.typeConflict])
  }

  @Test func timesAreNumbersOrText() throws {
    let cases: [(String, Int64?)] = [
      ("2014-02-14 14:30:00", 1_392_388_200_000_000_000), ("2014-02-14T14:30:00Z", 1_392_388_200_000_000_000),
      ("2014-02-14T14:30:00.123456789+01:00", 1_392_384_600_123_456_789), ("1970-01-01", 0),
      ("1969-12-31 23:59:59.999", -1_000_000), ("2000-02-29 00:00", 951_782_400_000_000_000),
      ("2262-04-11T23:47:16.854775807Z", .max), ("2262-04-11T23:47:16.854775808Z", nil),
      (
        "1677-09-22T00:00:00-0530",
        -9_223_286_400_000_000_000 - 17_236_854_775_808 + 17_236_854_775_808 + 19_800_000_000_000
      ),
      ("2001-02-29", nil), ("2001-13-01", nil), ("2001-1-1", nil), ("2001-01-01 24:00", nil), ("2001-01-01T", nil),
      ("2001-01-01 10:00:00.", nil), ("2001-01-01 10:00:00 x", nil), ("5", 5_000_000_000), ("-5", -5_000_000_000),
      ("", nil), ("9223372036854775807", nil),
    ]
    for (text, expected) in cases {
      let found = try read("v,when\n1,\(text)\n") {
        $0.timeColumn = "when"
        $0.precision = .seconds
      }
      #expect(found.points.map(\.time) == (expected.map { [$0] } ?? []), "\(text)")
      #expect(found.rejections.map(\.code) == (expected == nil ? [.invalidTimestamp] : []), "\(text)")
    }
  }

  @Test func headersThatCannotBeUsedAreRefused() {
    func code(_ text: String, _ change: (inout CSVOptions) -> Void = { _ in }) -> VarveError.Code? {
      do {
        _ = try read(text, change)
        return nil
      } catch { return (error as? VarveError)?.code }
    }
    #expect(code("") == .invalidArgument)
    #expect(code("a,b\n") == .notFound)
    #expect(code("time,a,a\n") == .invalidArgument)
    #expect(code("time,,a\n") == .invalidArgument)
    #expect(code("time,\(String(repeating: "x", count: 64))\n") == .nameTooLong)
    #expect(code("time,a\n", { $0.timeColumn = "t" }) == .notFound)
    #expect(code("time,a\n", { $0.tagColumns = ["host"] }) == .notFound)
    #expect(code("time,a\n", { $0.tagColumns = ["time"] }) == .notFound)
    #expect(code("\u{FEFF}Time,a\n1,2\n") == nil)
  }

  @Test func manyRowsComeInBatchesAndSeriesAreDistinct() throws {
    var text = "time,host,dc,v\n"
    for i in 0..<5000 { text += "\(i),h\(i % 7),d\(i % 3),\(i)\n" }
    var options = CSVOptions(table: "t")
    options.tagColumns = ["host", "dc"]
    options.batchRowLimit = 1000
    let reader = CSVReader(options: options)
    try reader.parse(Array(text.utf8))
    try reader.finish()
    let batches = reader.takeBatches()
    #expect(batches.map { $0.points.rowCount } == [1000, 1000, 1000, 1000, 1000])
    #expect(batches.allSatisfy { $0.points.series.count == 21 && Set($0.points.series).count == 21 })
    let rows = batches.flatMap { points(of: $0) }
    for (i, row) in rows.enumerated() {
      #expect(row.tags == ["host": "h\(i % 7)", "dc": "d\(i % 3)"] && row.fields == ["v": .int(Int64(i))])
    }
  }

  @Test func randomBytesNeverTrap() throws {
    var generator = LineProtocolGenerator(seed: lineProtocolSeed)
    let alphabet = Array("0123,,,\"\"\n\r\u{1}ab.-e\\".utf8) + [0xFF, 0xC3]
    for _ in 0..<500 {
      let reader = CSVReader(
        options: {
          var options = CSVOptions(table: "t")
          options.recordByteLimit = 60
          options.tagColumns = ["host"]
          return options
        }())
      try reader.parse(Array("time,host,v,w\n".utf8))
      for _ in 0..<20 {
        try reader.parse(
          (0..<Int.random(in: 1...40, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! })
      }
      try reader.finish()
      let rows = reader.takeBatches().reduce(0) { $0 + $1.points.rowCount }
      #expect(rows + reader.takeRejected().count == reader.recordCount, "seed \(lineProtocolSeed)")
    }
  }

  static let nab = LineProtocolCorpus.url.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("nab")

  @Test(.enabled(if: FileManager.default.fileExists(atPath: CSVReaderTests.nab.path), "the NAB files are not here"))
  func realSensorFilesAreRead() throws {
    var files = 0
    for case let url as URL in try #require(
      FileManager.default.enumerator(at: Self.nab, includingPropertiesForKeys: nil))
    where url.pathExtension == "csv" {
      let data = try Data(contentsOf: url)
      let reader = CSVReader(options: CSVOptions(table: "nab"))
      try reader.parse(Array(data))
      try reader.finish()
      let rows = reader.takeBatches().reduce(0) { $0 + $1.points.rowCount }
      #expect(reader.takeRejected().count == 0, "\(url.lastPathComponent)")
      #expect(rows == String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).count - 1)
      files += 1
    }
    #expect(files > 20)
  }
}
