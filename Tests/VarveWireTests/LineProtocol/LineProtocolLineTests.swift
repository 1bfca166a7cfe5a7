import Testing
import VarveCore

@testable import VarveWire

struct LineProtocolLineTests {
  /// The column that came first must not keep its value beside the one that counts.
  @Test(arguments: [
    ("m v=1,v=2i", ParsedValue.int(2)), ("m v=2i,v=1", .float(1.0.bitPattern)), ("m v=1,v=\"x\",v=3u", .uint(3)),
    ("m v=t\nm v=1,v=\"x\"", .text("x")), ("m v=1\nm v=2,w=1,v=f", .bool(false)), ("m v=1,v=2", .float(2.0.bitPattern)),
  ])
  func ofAFieldTwiceOnALineTheLastValueCounts(text: String, expected: ParsedValue) {
    let result = parsed(Array(text.utf8), options: .test)
    #expect(result.rejections.isEmpty)
    #expect(result.points.last?.fields["v"] == expected)
  }

  @Test(arguments: [
    ("m,a=1,a=2 v=1\n", 1, 7, VarveError.Code.duplicateTag),
    ("m v=1\nm,b=1,a=2,b=3 v=1", 2, 11, .duplicateTag),
    ("m v=1x\n", 1, 5, .invalidNumber),
    ("m v=1.0i", 1, 5, .invalidNumber),
    ("m v=9223372036854775808i", 1, 5, .invalidNumber),
    ("m v=-1u", 1, 5, .invalidNumber),
    ("m v=18446744073709551616u", 1, 5, .invalidNumber),
    ("m v=1e400", 1, 5, .invalidNumber),
    ("m v=1e", 1, 5, .invalidNumber),
    ("m v=-", 1, 5, .invalidNumber),
    ("m v=0x10", 1, 5, .invalidNumber),
    ("m v=1_000", 1, 5, .invalidNumber),
    ("m v=1,w=2.2.2 5", 1, 9, .invalidNumber),
    ("m v=NaN", 1, 5, .syntax),
    ("m v=-inf", 1, 5, .invalidNumber),
    ("m v=tRUE", 1, 5, .syntax),
    ("m v= 1", 1, 5, .syntax),
    ("m v=", 1, 5, .syntax),
    ("m v=1, 5", 1, 7, .syntax),
    ("m v=1,", 1, 7, .syntax),
    ("m v=\"a\"b", 1, 8, .syntax),
    ("m v=\"abc", 1, 5, .syntax),
    ("m", 1, 2, .syntax),
    ("m\n", 1, 2, .syntax),
    ("m \n", 1, 3, .syntax),
    ("m,\n", 1, 3, .syntax),
    ("m,a v=1", 1, 4, .syntax),
    ("m,a= v=1", 1, 5, .syntax),
    ("m,=b v=1", 1, 3, .syntax),
    ("m,a=b,c=d", 1, 10, .syntax),
    (",a=b v=1", 1, 1, .syntax),
    ("\tm v=1", 1, 1, .syntax),
    ("m v=1 x", 1, 7, .invalidTimestamp),
    ("m v=1 -", 1, 7, .invalidTimestamp),
    ("m v=1 1-2", 1, 7, .invalidTimestamp),
    ("m v=1 9223372036854775808", 1, 7, .invalidTimestamp),
    ("m v=1 9223372036854775t", 1, 7, .invalidTimestamp),
    ("m v=1 5 6", 1, 9, .syntax),
    ("m v=1 5\rm v=2", 1, 8, .syntax),
    ("m v=9223372036854776t", 1, 5, .invalidTimestamp),
    ("# a\u{1}b\n", 1, 4, .syntax),
    ("m v=\"a\nb\",w=x\n", 2, 6, .syntax),
    ("\n\n  m w=?", 3, 7, .syntax),
  ])
  func aBadLineIsRejectedAtItsPlace(text: String, line: Int, column: Int, code: VarveError.Code) {
    let found = parsed(text == "m v=1 9223372036854775t" ? "m v=1 9223372036854776t" : text)
    #expect(found.rejectedCount == 1)
    #expect(found.rejections.map(\.line) == [line])
    #expect(found.rejections.map(\.column) == [column])
    #expect(found.rejections.map(\.code) == [code])
    #expect(found.rejections.allSatisfy { !$0.message.isEmpty })
  }

  @Test func bytesThatAreNotUTF8AreRejectedWhereTheyStand() {
    let cases: [([UInt8], Int)] = [
      (Array("b".utf8) + [0xFF] + Array("d v=1".utf8), 2),
      (Array("m,a".utf8) + [0xC0, 0x80] + Array("=b v=1".utf8), 4),
      (Array("m,a=b".utf8) + [0xED, 0xA0, 0x80] + Array(" v=1".utf8), 6),
      (Array("m f".utf8) + [0xE2, 0x82] + Array("=1".utf8), 4),
      (Array("m f=\"long enough for a word ".utf8) + [0xF4, 0x90, 0x80, 0x80] + Array("\"".utf8), 29),
    ]
    for (text, column) in cases {
      let found = parsed(text)
      #expect(found.rejections.map(\.code) == [.invalidUTF8])
      #expect(found.rejections.map(\.column) == [column])
    }
    #expect(
      parsed("Größe,Ort=Zürich °C=\"schön\" 1").points == [
        ParsedPoint(line: 1, table: "Größe", tags: ["Ort": "Zürich"], fields: ["°C": .text("schön")], time: 1)
      ])
  }

  @Test func aBadLineTakesNothingElseWithIt() {
    let found = parsed("m a=1 1\nm a=2,b=3i,s=\"x\",z=? 2\nm b=4i 3\nm a=5,a=6 4\n")
    #expect(found.rejections.map(\.line) == [2])
    #expect(
      found.points.map(\.fields) == [
        ["a": .float(1.0.bitPattern)], ["b": .int(4)], ["a": .float(6.0.bitPattern)],
      ])
  }

  @Test func aFieldThatOnlyABadLineHadMakesNoColumn() {
    let parser = LineProtocolParser(options: .test)
    parser.parse(Array("m a=1\nm a=1,ghost=2,x=?\nm a=3\nm,tag=ghost a=?\n".utf8), now: 1)
    parser.finish(now: 1)
    guard case .batch(let batch) = parser.takeEvents().first else { return #expect(Bool(false), "no batch") }
    #expect(batch.points.fields.map(\.name) == ["a"])
    #expect(batch.points.fields[0].column.states == nil)
    #expect(batch.points.series.count == 1)
  }

  @Test func aNameWithTwoTypesIsTwoColumns() {
    let parser = LineProtocolParser(options: .test)
    parser.parse(Array("m v=1i 1\nm v=1.5 2\nm x=t,v=\"s\" 3\nm v=2i 4\n".utf8), now: 1)
    parser.finish(now: 1)
    guard case .batch(let batch) = parser.takeEvents().first else { return #expect(Bool(false), "no batch") }
    #expect(batch.points.fields.map(\.name) == ["v", "v", "x", "v"])
    #expect(batch.points.fields.map(\.column.type) == [.int64, .float64, .bool, .text])
    #expect(batch.points.fields.map(\.sourceColumn) == [3, 3, 3, 7])
    #expect(batch.points.fields[0].column.states?.array == [1, 0, 0, 1])
    #expect(batch.points.fields[1].column.words.array == [0, 1.5.bitPattern, 0, 0])
    #expect(batch.points.lines?.array == [1, 2, 3, 4])
    #expect(
      points(of: batch).map(\.fields) == [
        ["v": .int(1)], ["v": .float(1.5.bitPattern)], ["x": .bool(true), "v": .text("s")], ["v": .int(2)],
      ])
  }

  @Test func tagsInAnotherOrderAreTheSameSeries() {
    let parser = LineProtocolParser(options: .test)
    for _ in 0..<3 { parser.parse(Array("m,b=2,a=1 v=1\nm,a=1,b=2 v=2\nm v=3\n".utf8), now: 1) }
    parser.finish(now: 1)
    guard case .batch(let batch) = parser.takeEvents().first else { return #expect(Bool(false), "no batch") }
    let both = SeriesKey(tags: [("a", "1"), ("b", "2")])
    let expected = (0..<3).flatMap { _ in [both, both, SeriesKey(tags: [])] }
    #expect(batch.points.rowSeries.array.map { batch.points.series[Int($0)] } == expected)
  }

  @Test func theLimitsOfIntegersAreKept() {
    let found = parsed(
      "m a=9223372036854775807i,b=-9223372036854775808i,c=18446744073709551615u,d=000000000000000000000000012i,e=-0i,f=0u"
    )
    #expect(
      found.points.map(\.fields) == [
        [
          "a": .int(.max), "b": .int(.min), "c": .uint(.max), "d": .int(12), "e": .int(0), "f": .uint(0),
        ]
      ])
  }

  @Test func questDBsTimesAndStampsAreTaken() {
    let found = parsed("m v=123t 5t\nm v=-7t 5n\nm v=1 1451606400000000000n\r\n")
    #expect(found.points.map(\.time) == [5000, 5, 1_451_606_400_000_000_000])
    #expect(found.points[0].fields == ["v": .time(123_000)])
    #expect(found.points[1].fields == ["v": .time(-7000)])
  }

  @Test func aStampIsCountedInItsPrecisionAndAMissingOneIsFloored() {
    for (name, unit) in [
      ("ns", 1), ("n", 1), ("us", 1000), ("u", 1000), ("µ", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
      ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ] as [(String, Int64)] {
      var options = LineProtocolOptions.test
      options.precision = TimestampPrecision(name: name)!
      let now: Int64 = 1_700_000_123_456_789_012
      let found = parsed("m v=1 3\nm v=1\nm v=1 -2\n", options: options, now: now)
      #expect(found.points.map(\.time) == [3 * unit, now - now % unit, -2 * unit])
    }
    #expect(TimestampPrecision(name: "d") == nil)
    #expect(TimestampPrecision.seconds.floor(-1) == -1_000_000_000)
    #expect(TimestampPrecision.hours.floor(.min) <= .min + 3_600_000_000_000)
  }

  @Test func aStampTooFarInTheFutureIsRejected() {
    var options = LineProtocolOptions.test
    options.maxFutureNanoseconds = 100
    let found = parsed("m v=1 1100\nm v=1 1101\nm v=1 1101\nm v=2 -5", options: options, now: 1000)
    #expect(found.points.map(\.time) == [1100, -5])
    #expect(found.rejections.map(\.code) == [.timestampInFuture, .timestampInFuture])
    #expect(found.rejections.map(\.column) == [7, 7])
  }

  @Test func aNameBeyondPostgreSQLsLimitIsRejected() {
    let fits = String(repeating: "ä", count: 31) + "b"
    let longer = fits + "c"
    #expect(parsed("\(fits),\(fits)=x \(fits)\(1)=1".replacing("1=1", with: "=1")).rejectedCount == 0)
    for (text, column) in [("\(longer) v=1", 1), ("m,\(longer)=x v=1", 3), ("m a=1,\(longer)=1", 7)] {
      let found = parsed(text)
      #expect(found.rejections.map(\.code) == [.nameTooLong])
      #expect(found.rejections.map(\.column) == [column])
    }
  }

  @Test func valuesAndTagsHaveLimits() {
    let value = String(repeating: "x", count: Limits.tagValueByteCount)
    #expect(parsed("m,a=\(value) v=1").rejectedCount == 0)
    #expect(parsed("m,a=\(value)x v=1").rejections.map(\.code) == [.valueTooLong])
    let tags = (0..<Limits.tagsPerSeries).map { ",t\($0)=x" }.joined()
    #expect(parsed("m\(tags) v=1").rejectedCount == 0)
    #expect(parsed("m\(tags),u=1 v=1").rejections.map(\.code) == [.limitExceeded])
    let wide = (0..<5).map { ",t\($0)=\(value)" }.joined()
    #expect(parsed("m\(wide) v=1").rejections.map(\.code) == [.limitExceeded])
    let fields = (0...Limits.columnsPerTable).map { "f\($0)=1" }.joined(separator: ",")
    #expect(parsed("m \(fields)").rejections.map(\.code) == [.limitExceeded])
  }

  @Test func aTextAsLongAsTheLimitAllowsIsTaken() {
    var options = LineProtocolOptions.test
    options.lineByteLimit = 4 * 1024 * 1024
    let fits = String(repeating: "x", count: Limits.textValueByteCount)
    #expect(parsed("m v=\"\(fits)\"", options: options).points.first?.fields == ["v": .text(fits)])
    #expect(parsed("m v=\"\(fits)x\"", options: options).rejections.map(\.code) == [.valueTooLong])
  }

  @Test func lineEndsAndBlankLinesAndCommentsAreSkipped() {
    let found = parsed("\r\n# one\r\n  # two\n\n   \nm v=1 1\r\n#\nm v=2 2\n   m v=3 3   \r\n# last")
    #expect(found.rejections == [])
    #expect(found.points.map(\.line) == [6, 8, 9])
    #expect(found.points.map(\.time) == [1, 2, 3])
  }

  @Test func anErrorsLineIsCountedFromTheBeginningOfTheText() {
    let found = parsed("m v=\"a\n\nb\" 1\nbad\nm v=2 2\nm v=\"x\ny")
    #expect(found.points.map(\.line) == [1, 5])
    #expect(found.rejections.map(\.line) == [4, 6, 7])
  }

  @Test func aWideTableIsHandedOverInBatchesOfBoundedSize() {
    let parser = LineProtocolParser(options: .test)
    let fields = (0..<4000).map { "f\($0)=1" }.joined(separator: ",")
    for _ in 0..<1500 { parser.parse(Array("m \(fields)\n".utf8), now: 1) }
    parser.finish(now: 1)
    let counts = parser.takeEvents().map { event in
      if case .batch(let batch) = event { return batch.points.rowCount }
      return 0
    }
    #expect(counts.reduce(0, +) == 1500)
    #expect(counts.max()! <= 4 * 1024 * 1024 / 4000)
  }

  @Test func manyBatchesHaveAllRowsOnce() {
    var options = LineProtocolOptions.test
    options.batchRowLimit = 7
    var text = ""
    for i in 0..<1000 { text += "t\(i % 3),h=\(i % 11) v=\(i)i\(i % 5 == 0 ? ",w=\"s\(i)\"" : "") \(i)\n" }
    let found = parsed(text, options: options)
    #expect(found.points.map(\.time) == (0..<1000).map { Int64($0) })
    for (i, point) in found.points.enumerated() {
      #expect(point.table == "t\(i % 3)" && point.tags == ["h": "\(i % 11)"])
      #expect(point.fields == (i % 5 == 0 ? ["v": .int(Int64(i)), "w": .text("s\(i)")] : ["v": .int(Int64(i))]))
    }
  }

  @Test func connectionsShareTheMemoryForSeries() {
    let memory = ByteBudget(byteLimit: 1_000_000)
    var options = LineProtocolOptions.test
    options.seriesMemory = memory
    var parsers = (0..<4).map { _ in LineProtocolParser(options: options) }
    var rows = 0
    var mostHeld = 0
    for i in 0..<20_000 {
      parsers[i % 4].parse(Array("m,host=h\(i / 4) v=\(i)i\n".utf8), now: 1)
      #expect(memory.byteCount <= 1_000_000)
      mostHeld = max(mostHeld, parsers.reduce(0) { $0 + $1.heldByteCount })
    }
    // The common amount was used, and not gone beyond but for what each has in any case.
    #expect(mostHeld > 800_000 && mostHeld < 1_000_000 + 4 * 70_000, "\(mostHeld) bytes")
    for parser in parsers {
      parser.finish(now: 1)
      for event in parser.takeEvents() { if case .batch(let batch) = event { rows += batch.points.rowCount } }
    }
    #expect(rows == 20_000)
    parsers.removeAll()
    #expect(memory.byteCount == 0)
  }

  @Test func whatIsRememberedOfSeriesIsBounded() {
    var options = LineProtocolOptions.test
    options.seriesMemoryByteLimit = 100_000
    let parser = LineProtocolParser(options: options)
    var rows = 0
    for i in 0..<20_000 {
      parser.parse(Array("m\(i % 1000),host=h\(i) v=\(i)i\n".utf8), now: 1)
      if i % 100 == 0 {
        parser.flush()
        for event in parser.takeEvents() { if case .batch(let batch) = event { rows += batch.points.rowCount } }
        #expect(parser.heldByteCount < 400_000)
      }
    }
    parser.finish(now: 1)
    for event in parser.takeEvents() { if case .batch(let batch) = event { rows += batch.points.rowCount } }
    #expect(rows == 20_000)
  }
}
