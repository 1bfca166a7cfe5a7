/// Pieces of JSON written as bytes.
package enum JSONText {
  /// A JSON string with its quotes. Control characters are escaped, everything else stays as it is.
  package static func append(_ string: String, to out: inout [UInt8]) {
    out.append(0x22)
    for byte in string.utf8 {
      switch byte {
      case 0x22: out += [0x5C, 0x22]
      case 0x5C: out += [0x5C, 0x5C]
      case 0x0A: out += [0x5C, 0x6E]
      case 0x0D: out += [0x5C, 0x72]
      case 0x09: out += [0x5C, 0x74]
      case 0x00..<0x20, 0x7F:
        let digits = Array("0123456789abcdef".utf8)
        out += Array("\\u00".utf8)
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
      default: out.append(byte)
      }
    }
    out.append(0x22)
  }

  package static func string(_ string: String) -> String {
    var out: [UInt8] = []
    append(string, to: &out)
    return String(decoding: out, as: UTF8.self)
  }
}
