// How far a load is: rows, their rate over all and at the moment. A line that changes on a terminal, now and then a
// line elsewhere.

import VarveBench
import VarveServer

struct BenchProgress {
  private let options: LoadOptions
  private let isTerminal = StandardStreams.isTerminal(.error)
  private var last = LoadProgress(seconds: 0, rows: 0, bytes: 0)

  init(_ options: LoadOptions) { self.options = options }

  mutating func show(_ now: LoadProgress) {
    guard now.seconds - last.seconds >= (isTerminal ? 0.2 : 5) else { return }
    let current = Double(now.rows - last.rows) / (now.seconds - last.seconds)
    last = now
    let text =
      "\(now.rows) rows, \(Int(Double(now.rows) / now.seconds)) rows/s, now \(Int(current)) rows/s, "
      + "\(now.bytes >> 20) MB"
    if isTerminal {
      write("\r\u{1B}[K" + Progress.bar(fraction(now)) + text + left(now))
    } else {
      write(text + left(now) + "\n")
    }
  }

  /// Takes the changing line away.
  func end() { if last.seconds > 0 && isTerminal { write("\r\u{1B}[K") } }

  private func fraction(_ now: LoadProgress) -> Double {
    if let duration = options.durationNanoseconds { return min(1, now.seconds * 1e9 / Double(duration)) }
    return Double(now.rows) / Double(options.plan.rowCount)
  }

  private func left(_ now: LoadProgress) -> String {
    let fraction = fraction(now)
    return fraction > 0 ? ", \(Int(now.seconds * (1 - fraction) / fraction) + 1) s left" : ""
  }

  private func write(_ text: String) {
    // Progress that cannot be shown is no reason to stop.
    do { try StandardStreams.write(text, to: .error) } catch {}
  }
}
