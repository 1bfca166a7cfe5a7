// How far a long command is: a line that changes on a terminal, now and then a line elsewhere. On standard error.

import VarveServer

struct Progress {
  private let byteCount: Int?
  private let start = ProcessEnvironment.monotonicSeconds()
  private let isTerminal = StandardStreams.isTerminal(.error)
  private var lastShown: Double
  private var consumed = 0
  private var hasShown = false

  /// `byteCount`: in all; nil if nobody knows.
  init(byteCount: Int?) {
    self.byteCount = byteCount
    lastShown = start
  }

  /// `rows`: so far; nil if nobody counts them.
  mutating func advance(by bytes: Int, rows: Int?) {
    consumed += bytes
    let now = ProcessEnvironment.monotonicSeconds()
    guard now - lastShown >= (isTerminal ? 0.2 : 5) else { return }
    lastShown = now
    hasShown = true
    let elapsed = now - start
    var text = "\(Self.size(consumed))"
    if let byteCount, byteCount > 0 { text += " of \(Self.size(byteCount)) (\(consumed * 100 / byteCount) %)" }
    text += rows.map { ", \(Int(Double($0) / elapsed)) rows/s" } ?? ", \(Self.size(Int(Double(consumed) / elapsed)))/s"
    if let byteCount, consumed > 0 {
      text += ", \(Int(elapsed * Double(byteCount - consumed) / Double(consumed)) + 1) s left"
    }
    if isTerminal {
      show("\r\u{1B}[K" + (byteCount.map { $0 > 0 ? Self.bar(Double(consumed) / Double($0)) : "" } ?? "") + text)
    } else {
      show(text + "\n")
    }
  }

  /// Takes the changing line away.
  func end() { if hasShown && isTerminal { show("\r\u{1B}[K") } }

  /// Of 0 to 1.
  static func bar(_ fraction: Double) -> String {
    let filled = min(20, Int(fraction * 20))
    return "[" + String(repeating: "#", count: filled) + String(repeating: "·", count: 20 - filled) + "] "
  }

  private func show(_ text: String) {
    // Progress that cannot be shown is no reason to stop.
    do { try StandardStreams.write(text, to: .error) } catch {}
  }

  private static func size(_ bytes: Int) -> String {
    bytes >= 1 << 20 ? "\(bytes >> 20) MB" : "\(bytes >> 10) kB"
  }
}
