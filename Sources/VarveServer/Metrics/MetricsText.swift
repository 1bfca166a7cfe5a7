// Prometheus' text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).

import VarveStorage

struct MetricsText {
  private(set) var text = ""

  mutating func gauge(_ name: String, _ help: String, _ value: Int) {
    header(name, help, "gauge")
    text += "\(name) \(value)\n"
  }

  mutating func gauges(_ name: String, _ help: String, _ label: String, _ values: [(String, Int)]) {
    labelled(name, help, "gauge", label, values)
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    header(name, help, "gauge")
    text += "\(name) \(value)\n"
  }

  mutating func counter(_ name: String, _ help: String, _ value: Int) {
    header(name, help, "counter")
    text += "\(name) \(value)\n"
  }

  mutating func counters(_ name: String, _ help: String, _ label: String, _ values: [(String, Int)]) {
    labelled(name, help, "counter", label, values)
  }

  typealias Label = (name: String, value: String)

  mutating func samples(_ name: String, _ help: String, _ type: String, _ values: [([Label], Int)]) {
    guard !values.isEmpty else { return }
    header(name, help, type)
    for (labels, count) in values { text += "\(name)\(Self.braces(labels)) \(count)\n" }
  }

  mutating func histograms(_ name: String, _ help: String, _ values: [([Label], LatencyHistogram)]) {
    guard !values.isEmpty else { return }
    header(name, help, "histogram")
    for (labels, histogram) in values {
      var count = 0
      for (index, bound) in LatencyHistogram.boundsInSeconds.enumerated() {
        count += histogram.counts.isEmpty ? 0 : histogram.counts[index]
        text += "\(name)_bucket\(Self.braces(labels + [("le", "\(bound)")])) \(count)\n"
      }
      text += "\(name)_bucket\(Self.braces(labels + [("le", "+Inf")])) \(histogram.count)\n"
      text += "\(name)_sum\(Self.braces(labels)) \(Double(histogram.sumNanoseconds) / 1e9)\n"
      text += "\(name)_count\(Self.braces(labels)) \(histogram.count)\n"
    }
  }

  private static func braces(_ labels: [Label]) -> String {
    labels.isEmpty ? "" : "{" + labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",") + "}"
  }

  private mutating func labelled(
    _ name: String, _ help: String, _ type: String, _ label: String, _ values: [(String, Int)]
  ) {
    guard !values.isEmpty else { return }
    header(name, help, type)
    for (value, count) in values { text += "\(name){\(label)=\"\(Self.escaped(value))\"} \(count)\n" }
  }

  private mutating func header(_ name: String, _ help: String, _ type: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private static func escaped(_ value: String) -> String {
    // By scalars: a combining mark behind a quote would make one character with it.
    value.unicodeScalars.map { scalar in
      switch scalar {
      case "\\": "\\\\"
      case "\"": "\\\""
      case "\n": "\\n"
      default: String(scalar)
      }
    }.joined()
  }
}
