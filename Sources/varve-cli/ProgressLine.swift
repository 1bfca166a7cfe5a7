// One line of how far something is, which changes on a terminal; elsewhere now and then a line. On standard error.

import VarveServer

struct ProgressLine: Sendable {
  private let isTerminal = StandardStreams.isTerminal(.error)
  private let start = ProcessEnvironment.monotonicSeconds()
  private var lastShown: Double
  private var hasShown = false

  init() { lastShown = start }

  /// Seconds since the start if it is time for another text, else nil.
  func due() -> Double? {
    let now = ProcessEnvironment.monotonicSeconds()
    return now - lastShown >= (isTerminal ? 0.2 : 5) ? now - start : nil
  }

  /// `fraction`, of 0 to 1, becomes a bar on a terminal.
  mutating func show(_ text: String, fraction: Double? = nil) {
    lastShown = ProcessEnvironment.monotonicSeconds()
    hasShown = true
    write(isTerminal ? "\r\u{1B}[K" + (fraction.map(Progress.bar) ?? "") + text : text + "\n")
  }

  /// Takes the changing line away.
  func end() { if hasShown && isTerminal { write("\r\u{1B}[K") } }

  private func write(_ text: String) {
    // Progress that cannot be shown is no reason to stop.
    do { try StandardStreams.write(text, to: .error) } catch {}
  }
}
