// How far a long command is with its bytes, how fast, and how long it still takes.

import VarveArchive

struct Progress {
  private var byteCount: Int?
  private var line = ProgressLine()
  private var consumed = 0

  /// `byteCount`: in all; nil if nobody knows.
  init(byteCount: Int?) { self.byteCount = byteCount }

  /// `rows`: so far; nil if nobody counts them.
  mutating func advance(by bytes: Int, rows: Int?) {
    consumed += bytes
    guard let elapsed = line.due() else { return }
    var text = "\(Self.size(consumed))"
    if let byteCount, byteCount > 0 { text += " of \(Self.size(byteCount)) (\(consumed * 100 / byteCount) %)" }
    text += rows.map { ", \(Int(Double($0) / elapsed)) rows/s" } ?? ", \(Self.size(Int(Double(consumed) / elapsed)))/s"
    if let byteCount, consumed > 0 {
      text += ", \(Int(elapsed * Double(byteCount - consumed) / Double(consumed)) + 1) s left"
    }
    line.show(text, fraction: byteCount.flatMap { $0 > 0 ? Double(consumed) / Double($0) : nil })
  }

  mutating func reach(_ progress: BackupProgress) {
    byteCount = progress.byteCount
    advance(by: progress.doneByteCount - consumed, rows: nil)
  }

  /// Takes the changing line away.
  func end() { line.end() }

  /// Of 0 to 1.
  static func bar(_ fraction: Double) -> String {
    let filled = min(20, Int(fraction * 20))
    return "[" + String(repeating: "#", count: filled) + String(repeating: "·", count: 20 - filled) + "] "
  }

  private static func size(_ bytes: Int) -> String {
    bytes >= 1 << 20 ? "\(bytes >> 20) MB" : "\(bytes >> 10) kB"
  }
}
