// What a lock's object says: who has it, for how long, and how often that was said.
//
//   varve lock 1
//   owner 7f0c…          32 hexadecimal digits, chosen when the lock was taken
//   renewal 4            counted, so that each text is another, and so is its tag
//   seconds 60           how long it holds from when the store got this
//   held                 or `released`

import VarveCore

struct LockRecord: Equatable {
  let owner: String
  var renewal: Int
  let seconds: Int
  var isHeld: Bool

  static let byteLimit = 4096
  private static let title = "varve lock 1"

  /// Of somebody who takes the lock now.
  init(seconds: Int) {
    owner = Signature.hexadecimal((0..<16).map { _ in UInt8.random(in: .min ... .max) })
    renewal = 0
    self.seconds = seconds
    isHeld = true
  }

  var bytes: [UInt8] {
    Array(
      "\(Self.title)\nowner \(owner)\nrenewal \(renewal)\nseconds \(seconds)\n\(isHeld ? "held" : "released")\n".utf8)
  }

  /// nil if the bytes are no such text.
  init?(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 6, lines[0] == Self.title, lines[5].isEmpty, lines[1].hasPrefix("owner "),
      lines[2].hasPrefix("renewal "), lines[3].hasPrefix("seconds "), lines[4] == "held" || lines[4] == "released",
      let renewal = Int(lines[2].dropFirst(8)), let seconds = Int(lines[3].dropFirst(8)), renewal >= 0, seconds > 0
    else { return nil }
    owner = String(lines[1].dropFirst(6))
    self.renewal = renewal
    self.seconds = seconds
    isHeld = lines[4] == "held"
  }
}
