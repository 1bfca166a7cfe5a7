// What the tests of line protocol share: points as plain values, and text fed in pieces.

import Foundation
import Testing
import VarveCore

@testable import VarveWire

enum ParsedValue: Equatable, CustomStringConvertible {
  case float(UInt64)
  case int(Int64)
  case uint(UInt64)
  case bool(Bool)
  case text(String)
  case time(Int64)

  var description: String {
    switch self {
    case .float(let bits): "\(Double(bitPattern: bits))"
    case .int(let value): "\(value)i"
    case .uint(let value): "\(value)u"
    case .bool(let value): "\(value)"
    case .text(let value): "\"\(value)\""
    case .time(let value): "\(value)ns"
    }
  }
}

struct ParsedPoint: Equatable {
  var line: Int
  var table: String
  var tags: [String: String]
  var fields: [String: ParsedValue]
  var time: Int64
}

struct ParsedText: Equatable {
  var points: [ParsedPoint] = []
  var rejections: [Rejection] = []
  var rejectedCount = 0
  /// Each sync with the number of points and rejections before it.
  var syncs: [String] = []
}

func points(of batch: SourceBatch) -> [ParsedPoint] {
  let points = batch.points
  return (0..<points.rowCount).map { row in
    var fields: [String: ParsedValue] = [:]
    for field in points.fields where field.column.state(row) == .value {
      let word = field.column.words[row]
      if fields[field.name] != nil {
        let names = points.fields.map { "\(Array($0.name.utf8)) \($0.column.type)" }
        Issue.record("seed \(lineProtocolSeed): two values of one name in row \(row): \(names)")
      }
      fields[field.name] =
        switch field.column.type {
        case .float64: .float(word)
        case .int64: .int(Int64(bitPattern: word))
        case .uint64: .uint(word)
        case .bool: .bool(word == 1)
        case .text: .text(field.column.string(row))
        case .timestamp: .time(Int64(bitPattern: word))
        }
    }
    var tags: [String: String] = [:]
    for tag in points.series[Int(points.rowSeries[row])].tags { tags[tag.name] = tag.value }
    return ParsedPoint(
      line: batch.lineBase + Int(points.lines?[row] ?? 0), table: points.table, tags: tags, fields: fields,
      time: points.times[row])
  }
}

func collect(_ parser: LineProtocolParser, into text: inout ParsedText) {
  for event in parser.takeEvents() {
    switch event {
    case .batch(let batch): text.points += points(of: batch)
    case .sync(let token, let rejected):
      text.rejections += rejected.rejections
      text.rejectedCount += rejected.count
      text.syncs.append("\(token) \(text.points.count) \(text.rejectedCount)")
    }
  }
}

func parsed(
  _ bytes: [UInt8], cuts: [Int] = [], options: LineProtocolOptions = .test, now: Int64 = 1000
) -> ParsedText {
  let parser = LineProtocolParser(options: options)
  var start = 0
  for cut in cuts + [bytes.count] where cut > start {
    // A copy of exactly this piece: reading beyond it would be seen by the sanitizer.
    parser.parse(Array(bytes[start..<cut]), now: now)
    start = cut
  }
  parser.finish(now: now)
  var result = ParsedText()
  collect(parser, into: &result)
  let rest = parser.takeRejected()
  result.rejections += rest.rejections
  result.rejectedCount += rest.count
  result.points.sort { $0.line < $1.line }
  return result
}

func parsed(_ text: String, options: LineProtocolOptions = .test, now: Int64 = 1000) -> ParsedText {
  parsed(Array(text.utf8), options: options, now: now)
}

extension LineProtocolOptions {
  /// Without limits on names and stamps, as the reference has none.
  static var test: LineProtocolOptions {
    var options = LineProtocolOptions()
    options.maxFutureNanoseconds = nil
    options.hashSeed = 42
    return options
  }
}

struct LineProtocolCorpusCase {
  var key: String
  var text: [UInt8]
  var defaultTime: Int64
  var precision: TimestampPrecision
  /// nil: the reference reports an error.
  var points: [ParsedPoint]?
}

enum LineProtocolCorpus {
  static let url: URL = {
    if let folder = ProcessInfo.processInfo.environment["VARVE_TEST_DATA"] {
      return URL(fileURLWithPath: folder).appendingPathComponent("line-protocol/corpus-half.json")
    }
    return packageRoot.appendingPathComponent("../shared/data/line-protocol/corpus-half.json")
  }()

  static let packageRoot: URL = {
    var url = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    while !url.path.hasSuffix("/Tests") { url.deleteLastPathComponent() }
    return url.deletingLastPathComponent()
  }()

  static var isPresent: Bool { FileManager.default.fileExists(atPath: url.path) }

  static func load() throws -> [LineProtocolCorpusCase] {
    // JSONDecoder, because JSONSerialization's doubles are off by a bit now and then.
    try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).decode.values.map { element in
      LineProtocolCorpusCase(
        key: element.input.key, text: element.input.text.bytes, defaultTime: element.input.defaultTime,
        precision: TimestampPrecision(name: String(element.input.precision.dropFirst()))!,
        points: element.output.error == nil ? (element.output.result ?? []).map(point) : nil)
    }.sorted { $0.key < $1.key }
  }

  private static func point(_ row: Row) -> ParsedPoint {
    var tags: [String: String] = [:]
    for tag in row.tags ?? [] { tags[tag.key] = tag.value }
    var fields: [String: ParsedValue] = [:]
    for field in row.fields {
      fields[field.key] =
        field.value.float.map { .float($0.bitPattern) } ?? field.value.int.map { .int($0) }
        ?? field.value.uint.map { .uint($0) } ?? field.value.bool.map { .bool($0) }
        ?? field.value.string.map { .text($0) }
    }
    precondition(fields.count == row.fields.count, "a kind of value that is not known here")
    return ParsedPoint(line: 0, table: row.name, tags: tags, fields: fields, time: row.time)
  }

  private struct File: Decodable { var decode: [String: Element] }
  private struct Element: Decodable {
    var input: Input
    var output: Output
  }
  private struct Input: Decodable {
    var key: String
    var text: Text
    var defaultTime: Int64
    var precision: String
  }
  private struct Output: Decodable {
    var error: String?
    var result: [Row]?
  }
  private struct Row: Decodable {
    var time: Int64
    var name: String
    var tags: [Tag]?
    var fields: [Field]
  }
  private struct Tag: Decodable {
    var key: String
    var value: String
  }
  private struct Field: Decodable {
    var key: String
    var value: Content
  }
  private struct Content: Decodable {
    var float: Double?
    var int: Int64?
    var uint: UInt64?
    var bool: Bool?
    var string: String?
  }
  private struct Text: Decodable {
    let bytes: [UInt8]
    private struct Binary: Decodable { var binary: Data }
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      do {
        bytes = Array(try container.decode(String.self).utf8)
      } catch DecodingError.typeMismatch {
        bytes = Array(try container.decode(Binary.self).binary)
      }
    }
  }
}

/// A small generator with a seed that can be printed (splitmix64).
struct LineProtocolGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// The seed of this run: VARVE_TEST_SEED, or one that changes.
let lineProtocolSeed: UInt64 =
  ProcessInfo.processInfo.environment["VARVE_TEST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
