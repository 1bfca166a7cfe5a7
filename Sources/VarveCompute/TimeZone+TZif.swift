// Reading TZif files (RFC 8536), version 1 to 4. Total: bytes that are not a zone give nil.

extension TimeZone {
  package convenience init?(name: String, tzif bytes: [UInt8]) {
    func int32(_ at: Int) -> Int {
      var value: UInt32 = 0
      for i in 0..<4 { value = value << 8 | UInt32(bytes[at + i]) }
      return Int(Int32(bitPattern: value))
    }
    func int64(_ at: Int) -> Int {
      var value: UInt64 = 0
      for i in 0..<8 { value = value << 8 | UInt64(bytes[at + i]) }
      return Int(Int64(bitPattern: value))
    }
    struct Header {
      var utCount, standardCount, leapCount, timeCount, typeCount, charCount: Int
      func byteCount(timeSize: Int) -> Int {
        timeCount * timeSize + timeCount + typeCount * 6 + charCount + leapCount * (timeSize + 4) + standardCount
          + utCount
      }
    }
    func header(_ at: Int) -> Header? {
      guard at + 44 <= bytes.count, Array(bytes[at..<(at + 4)]) == Array("TZif".utf8) else { return nil }
      let counts = (0..<6).map { int32(at + 20 + $0 * 4) }
      guard counts.allSatisfy({ $0 >= 0 && $0 < 1 << 20 }) else { return nil }
      return Header(
        utCount: counts[0], standardCount: counts[1], leapCount: counts[2], timeCount: counts[3], typeCount: counts[4],
        charCount: counts[5])
    }
    guard var head = header(0) else { return nil }
    var at = 44
    var timeSize = 4
    let version = bytes[4]
    if version >= UInt8(ascii: "2") {
      at += head.byteCount(timeSize: 4)
      guard let second = header(at) else { return nil }
      head = second
      at += 44
      timeSize = 8
    }
    guard at + head.byteCount(timeSize: timeSize) <= bytes.count, head.typeCount > 0 else { return nil }
    let indexStart = at + head.timeCount * timeSize
    let typeStart = indexStart + head.timeCount
    func offset(ofType type: Int) -> Int? {
      guard type < head.typeCount else { return nil }
      let seconds = int32(typeStart + type * 6)
      return abs(seconds) < 8 * 86_400 ? seconds : nil
    }
    let charStart = typeStart + head.typeCount * 6
    func abbreviation(ofType type: Int) -> String {
      let start = charStart + Int(bytes[typeStart + type * 6 + 5])
      guard start < charStart + head.charCount else { return "" }
      return String(decoding: bytes[start..<(charStart + head.charCount)].prefix { $0 != 0 }, as: UTF8.self)
    }
    guard let first = offset(ofType: 0) else { return nil }
    var transitions: [Int] = []
    var offsets = [first]
    var abbreviations = [abbreviation(ofType: 0)]
    for i in 0..<head.timeCount {
      let time = timeSize == 8 ? int64(at + i * 8) : int32(at + i * 4)
      guard let seconds = offset(ofType: Int(bytes[indexStart + i])) else { return nil }
      if let last = transitions.last, time <= last { return nil }
      let name = abbreviation(ofType: Int(bytes[indexStart + i]))
      // What changes nothing is no transition here.
      if seconds == offsets[offsets.count - 1], name == abbreviations[abbreviations.count - 1],
        i < head.timeCount - 1
      {
        continue
      }
      transitions.append(time)
      offsets.append(seconds)
      abbreviations.append(name)
    }
    var rule: PosixZoneRule?
    if timeSize == 8 {
      let footer = at + head.byteCount(timeSize: 8)
      if footer < bytes.count, bytes[footer] == 0x0A {
        let rest = bytes[(footer + 1)...]
        guard let end = rest.firstIndex(of: 0x0A) else { return nil }
        let text = Array(rest[..<end])
        if !text.isEmpty {
          guard let parsed = PosixZoneRule(text) else { return nil }
          rule = parsed
        }
      }
    }
    self.init(name: name, transitions: transitions, offsets: offsets, rule: rule, abbreviations: abbreviations)
  }
}
