// The shapes of the series a connection has sent: measurement and tag names, as they stand on lines, without the values.
//
// New series of a sender nearly always have a shape that was seen before. Then names need no look but a comparison, the
// order of the tags in the key is known, and the key is written in one go. Text that is not exactly of a known shape,
// or that needs more than copying, is left to the parser's full look, which also finds the words for what is wrong.

import CVarve
import VarveCore

/// A tag as it was found on a line.
struct SpelledTag {
  let name: [UInt8]
  let value: [UInt8]
  /// Where its key stands, and how long the key is there, with its `=`.
  let at: UnsafePointer<UInt8>
  let keyByteCount: Int
}

struct SeriesShape {
  /// A series text of a known shape.
  struct Found {
    let byteCount: Int
    let table: Int
    let key: SeriesKey
  }

  private let table: Int
  /// The measurement, then each tag's comma, key and `=`, as spelled; and where each of these pieces ends.
  private var text: [UInt8]
  private var ends: [Int]
  /// In canonical order: the tag's place on the line, and its name as a key has it.
  private var order: [Int] = []
  private var names: [UInt8] = []
  private var nameEnds: [Int] = []

  /// `tags` are in canonical order.
  init(_ table: Int, measurement: UnsafeBufferPointer<UInt8>, _ tags: [SpelledTag]) {
    self.table = table
    text = Array(measurement)
    ends = [text.count]
    let onLine = tags.indices.sorted { tags[$0].at < tags[$1].at }
    for index in onLine {
      text.append(0x2C)
      text += UnsafeBufferPointer(start: tags[index].at, count: tags[index].keyByteCount)
      ends.append(text.count)
    }
    order = Array(repeating: 0, count: tags.count)
    for (place, index) in onLine.enumerated() { order[index] = place }
    for tag in tags {
      names.append(UInt8(truncatingIfNeeded: tag.name.count))
      names.append(UInt8(truncatingIfNeeded: tag.name.count >> 8))
      names += tag.name
      nameEnds.append(names.count)
    }
  }

  /// The series whose text begins at `start`, if it has this shape and nothing about its values is out of the ordinary.
  func read(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ classes: UnsafePointer<UInt8>
  ) -> Found? {
    withUnsafeTemporaryAllocation(of: UnsafeBufferPointer<UInt8>.self, capacity: max(1, order.count)) { values in
      guard let textEnd = readValues(start, end, classes, values) else { return nil }
      let valueByteCount = values[..<order.count].reduce(0) { $0 + $1.count }
      let byteCount = names.count + order.count * 4 + valueByteCount
      guard byteCount <= Limits.seriesKeyByteCount else { return nil }
      let key = [UInt8](unsafeUninitializedCapacity: byteCount) { key, count in
        writeKey(values, to: key)
        count = byteCount
      }
      return Found(byteCount: textEnd - start, table: table, key: SeriesKey(canonical: key))
    }
  }

  /// Finds the values in order of the line; gives the place behind the last one.
  @inline(__always)
  private func readValues(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ classes: UnsafePointer<UInt8>,
    _ values: UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>>
  ) -> UnsafePointer<UInt8>? {
    var p = start
    return text.withUnsafeBufferPointer { text in
      guard let text = text.baseAddress else { return nil }
      var pieceStart = 0
      for piece in 0...order.count {
        let count = ends[piece] - pieceStart
        guard end - p > count, cvarve_memcmp(p, text + pieceStart, count) == 0 else { return nil }
        p += count
        pieceStart = ends[piece]
        guard piece > 0 else { continue }
        let valueStart = p
        while p < end, classes[Int(p[0])] & ByteClass.endsPlainValue == 0 { p += 1 }
        let valueByteCount = p - valueStart
        guard valueByteCount > 0, valueByteCount <= Limits.tagValueByteCount, p < end,
          UTF8Validation.firstInvalid(valueStart, valueByteCount) == nil
        else { return nil }
        values.initializeElement(at: piece - 1, to: UnsafeBufferPointer(start: valueStart, count: valueByteCount))
      }
      return p < end && p[0] == 0x20 ? p : nil
    }
  }

  private func writeKey(
    _ values: UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>>, to key: UnsafeMutableBufferPointer<UInt8>
  ) {
    guard var to = key.baseAddress else { return }
    names.withUnsafeBufferPointer { names in
      guard let names = names.baseAddress else { return }
      var nameStart = 0
      for (tag, place) in order.enumerated() {
        to.update(from: names + nameStart, count: nameEnds[tag] - nameStart)
        to += nameEnds[tag] - nameStart
        nameStart = nameEnds[tag]
        let value = values[place]
        UnsafeMutableRawPointer(to).storeBytes(of: UInt32(value.count).littleEndian, as: UInt32.self)
        to += 4
        guard let from = value.baseAddress else { continue }
        to.update(from: from, count: value.count)
        to += value.count
      }
    }
  }
}

/// Those seen last; the one in use is tried first.
struct SeriesShapes {
  private var shapes: [SeriesShape] = []
  private var last = 0
  private static let limit = 16

  mutating func read(
    _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ classes: UnsafePointer<UInt8>
  ) -> SeriesShape.Found? {
    guard last < shapes.count else { return nil }
    if let found = shapes[last].read(start, end, classes) { return found }
    for index in shapes.indices where index != last {
      if let found = shapes[index].read(start, end, classes) {
        last = index
        return found
      }
    }
    return nil
  }

  /// Takes the place of the one behind the one in use when there are too many.
  mutating func learn(_ shape: SeriesShape) {
    if shapes.count < Self.limit {
      shapes.append(shape)
      last = shapes.count - 1
    } else {
      last = (last + 1) % Self.limit
      shapes[last] = shape
    }
  }
}
