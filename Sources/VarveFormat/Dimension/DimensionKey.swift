// The primary key of a row as bytes that compare as the key's values do, column after column. FORMAT.md, "Dimension key".
//
//   boolean: u8 0 or 1 · integer: 8 bytes, the greatest first, the sign bit inverted
//   double: its bits likewise, all of them inverted where it is negative; −0 as 0, every NaN as one behind all numbers
//   bytes: with 00 FF for each zero byte, then 00 00

import VarveCore

package enum DimensionKey {
  /// NULL is in no key.
  package static func append(_ value: DimensionValue, to key: inout [UInt8]) {
    switch value {
    case .null: preconditionFailure("a primary key's columns are not null")
    case .boolean(let flag): key.append(flag ? 1 : 0)
    case .integer(let number): append(word: UInt64(bitPattern: number) ^ 1 << 63, to: &key)
    case .float(let bits):
      let number = Double(bitPattern: bits)
      let word = number.isNaN ? 0x7FF8_0000_0000_0000 : number == 0 ? 0 : bits
      append(word: word >> 63 == 1 ? ~word : word | 1 << 63, to: &key)
    case .bytes(let bytes):
      for byte in bytes {
        key.append(byte)
        if byte == 0 { key.append(0xFF) }
      }
      key.append(0)
      key.append(0)
    }
  }

  private static func append(word: UInt64, to key: inout [UInt8]) {
    withUnsafeBytes(of: word.bigEndian) { key.append(contentsOf: $0) }
  }
}
