// The values of one tag column over all series of a table: a code a series, and what the codes stand for. A view of
// what the index had at one moment; taking one copies nothing.

import VarveCore

package struct TagColumn: Sendable {
  private let codes: AppendOnlyView<UInt32>
  private let refs: AppendOnlyView<UInt64>
  private let bytes: AppendOnlyView<UInt8>

  init(codes: AppendOnlyView<UInt32>, refs: AppendOnlyView<UInt64>, bytes: AppendOnlyView<UInt8>) {
    self.codes = codes
    self.refs = refs
    self.bytes = bytes
  }

  /// Code 0 is "no such tag"; `values[0]` is unused.
  package init(codes: [UInt32], values: [String]) {
    let refs = Buffer<UInt64>()
    let bytes = Buffer<UInt8>()
    for var value in values {
      value.withUTF8 { utf8 in
        refs.append(TextRef(offset: bytes.count, length: utf8.count).word)
        bytes.append(utf8)
      }
    }
    self.init(
      codes: AppendOnlyView(Buffer(codes)), refs: AppendOnlyView(refs), bytes: AppendOnlyView(bytes))
  }

  /// Codes are below this.
  package var codeCount: Int { refs.count }

  /// 0 is "no such tag" (NULL).
  package func code(of series: SeriesID) -> UInt32 {
    Int(series.rawValue) < codes.count ? codes[Int(series.rawValue)] : 0
  }

  package func value(_ code: UInt32) -> String {
    let ref = TextRef(word: refs[Int(code)])
    return bytes.withSpan { String(decoding: $0[ref.offset..<(ref.offset + ref.length)], as: UTF8.self) }
  }

  /// By code; the first is unused. A string each: for columns that are needed whole.
  package var values: [String] { (0..<UInt32(codeCount)).map { value($0) } }

  package func withCodes<T>(_ body: (UnsafeBufferPointer<UInt32>) throws -> T) rethrows -> T {
    try codes.withSpan(body)
  }
}
