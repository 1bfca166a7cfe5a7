// Rows as a client would write them, each value in one of the spellings that its format allows.

import VarveCore

@testable import VarveWire

struct CopyEncoder {
  let table: CopyTable
  let options: CopyOptions
  var random: SeededGenerator
  var newline = Array("\n".utf8)

  mutating func encode(_ rows: [CopyRow]) -> [UInt8] {
    switch options.format {
    case .binary:
      return Self.header + rows.flatMap { binary($0) } + [0xFF, 0xFF]
    case .text, .csv:
      var out: [UInt8] = []
      for row in rows {
        for (index, value) in values(row).enumerated() {
          if index > 0 { out.append(options.delimiter) }
          out += value.map { options.format == .csv ? csv($0, index) : text($0) } ?? options.null
        }
        out += newline
      }
      return out
    }
  }

  static let header = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)

  /// Values in text, in the order of the columns; nil: NULL.
  private mutating func values(_ row: CopyRow) -> [[UInt8]?] {
    var cells = row.cells[...]
    return table.columns.map { column in
      switch column.role {
      case .time: return Array(time(row.time).utf8)
      case .tag:
        // Without the tag: NULL or empty.
        return row.tags[column.name] ?? (Bool.random(using: &random) ? nil : [])
      case .value: preconditionFailure("the tables of these tests are of series")
      case .field(let type):
        switch cells.removeFirst() {
        case .null: return nil
        case .text(let text): return text
        case .word(let word): return Array(spelled(word, type).utf8)
        }
      }
    }
  }

  private mutating func spelled(_ word: UInt64, _ type: FieldType) -> String {
    switch type {
    case .int64: String(Int64(bitPattern: word))
    case .uint64: String(word)
    case .float64: "\(Double(bitPattern: word))"
    case .bool: (word == 1 ? ["t", "true"] : ["f", "false"]).randomElement(using: &random)!
    case .timestamp: word == 0 ? "epoch" : time(Int64(bitPattern: word))
    case .text: preconditionFailure("a text is no word")
    }
  }

  private func time(_ nanoseconds: Int64) -> String {
    var seconds = nanoseconds / 1_000_000_000
    let micros = nanoseconds % 1_000_000_000 / 1000
    func pad(_ value: Int64, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    // Civil date from days (Howard Hinnant's civil_from_days).
    let days = seconds / 86_400
    seconds %= 86_400
    let z = days + 719_468
    let era = z / 146_097
    let doe = z - era * 146_097
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
    let mp = (5 * doy + 2) / 153
    let day = doy - (153 * mp + 2) / 5 + 1
    let month = mp < 10 ? mp + 3 : mp - 9
    let year = yoe + era * 400 + (month <= 2 ? 1 : 0)
    let clock = "\(pad(seconds / 3600, 2)):\(pad(seconds / 60 % 60, 2)):\(pad(seconds % 60, 2))"
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2)) \(clock).\(pad(micros, 6))+00"
  }

  /// With escapes where they are needed, and some where they are not.
  private mutating func text(_ value: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    for byte in value {
      let named: [UInt8: Character] = [0x08: "b", 0x0C: "f", 0x0A: "n", 0x0D: "r", 0x09: "t", 0x0B: "v"]
      if byte == 0x5C || byte == options.delimiter || named[byte] != nil {
        if let letter = named[byte] { out += [0x5C, letter.asciiValue!] } else { out += [0x5C, byte] }
      } else if byte == 0x01 {
        out += Array("\\x01".utf8)
      } else if byte == 0x61, Bool.random(using: &random) {
        out += Array("\\141".utf8)
      } else {
        out.append(byte)
      }
    }
    return out
  }

  /// In quotes where it has to be, and sometimes where not.
  private mutating func csv(_ value: [UInt8], _ column: Int) -> [UInt8] {
    let special: [UInt8] = [options.delimiter, options.quote, options.escape, 0x0A, 0x0D, 0x5C]
    let mustQuote = value.contains(where: special.contains) || value == options.null
    guard mustQuote || Int.random(in: 0..<4, using: &random) == 0 else { return value }
    var out = [options.quote]
    for byte in value {
      if byte == options.quote || byte == options.escape { out.append(options.escape) }
      out.append(byte)
    }
    return out + [options.quote]
  }

  private func binary(_ row: CopyRow) -> [UInt8] {
    func bytes(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }
    func microseconds(_ time: Int64) -> [UInt8] {
      bytes(UInt64(bitPattern: time / 1000 - 946_684_800_000_000))
    }
    func field(_ value: [UInt8]?) -> [UInt8] {
      value.map { Client.int32(Int32($0.count)) + $0 } ?? Client.int32(-1)
    }
    var cells = row.cells[...]
    return Client.int16(table.columns.count)
      + table.columns.flatMap { column -> [UInt8] in
        switch column.role {
        case .time: return field(microseconds(row.time))
        case .tag: return field(row.tags[column.name])
        case .value: preconditionFailure("the tables of these tests are of series")
        case .field(let type):
          switch cells.removeFirst() {
          case .null: return field(nil)
          case .text(let text): return field(text)
          case .word(let word):
            switch type {
            case .bool: return field([UInt8(word)])
            case .timestamp: return field(microseconds(Int64(bitPattern: word)))
            case .uint64: return field(Self.numeric(word))
            default: return field(bytes(word))
            }
          }
        }
      }
  }

  /// Digits of base 10,000, without zeros at the end.
  static func numeric(_ value: UInt64) -> [UInt8] {
    var digits: [Int] = []
    var left = value
    while left > 0 {
      digits.insert(Int(left % 10_000), at: 0)
      left /= 10_000
    }
    let weight = max(0, digits.count - 1)
    while digits.last == 0 { digits.removeLast() }
    return Client.int16(digits.count) + Client.int16(weight) + [0, 0, 0, 0] + digits.flatMap(Client.int16)
  }
}
