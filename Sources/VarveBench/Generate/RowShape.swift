// The schemas: names of tags and fields, and what tags there are beside the one that names the series.

struct RowShape {
  let schema: LoadPlan.Schema
  let fields: [LoadField]
  /// The tag that tells series apart, and how its value begins; the series' number follows.
  let seriesTagName: String
  let seriesTagPrefix: String

  static let statuses = ["ok", "parked", "moving", "low_battery", "charging", "fault"]

  init(_ schema: LoadPlan.Schema) {
    self.schema = schema
    switch schema {
    case .cpu:
      (seriesTagName, seriesTagPrefix) = ("hostname", "host_")
      fields = [
        "user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice",
      ].map { LoadField(name: "usage_" + $0, kind: .integer) }
    case .iot:
      (seriesTagName, seriesTagPrefix) = ("device_id", "dev_")
      fields = [
        LoadField(name: "temperature", kind: .decimal(places: 1)),
        LoadField(name: "humidity", kind: .decimal(places: 2)),
        LoadField(name: "battery_voltage", kind: .decimal(places: 3)),
        LoadField(name: "latitude", kind: .decimal(places: 5)),
        LoadField(name: "longitude", kind: .decimal(places: 5)),
        LoadField(name: "charging", kind: .boolean),
        LoadField(name: "status", kind: .text),
      ]
    case .narrow:
      (seriesTagName, seriesTagPrefix) = ("sensor", "s")
      fields = [LoadField(name: "value", kind: .decimal(places: 2))]
    }
  }

  /// In the order in which rows have them.
  var tagNames: [String] { [seriesTagName] + profile(0).map(\.name) }

  /// What stands before each value of a line; the last one is behind the last.
  var keys: [String] {
    var keys: [String] = []
    var closing = ""
    for (index, field) in fields.enumerated() {
      let isText = field.kind == .text
      keys.append(closing + (index == 0 ? " " : ",") + field.name + "=" + (isText ? "\"" : ""))
      closing = field.kind == .integer ? "i" : isText ? "\"" : ""
    }
    return keys + [closing + " "]
  }

  /// The other tags of a series, drawn from some hundreds of sets of them.
  func profile(_ draw: UInt64) -> [(name: String, value: String)] {
    var draw = draw
    func pick(_ count: Int) -> Int {
      let (rest, choice) = draw.quotientAndRemainder(dividingBy: UInt64(count))
      draw = rest
      return Int(choice)
    }
    func pick(_ choices: [String]) -> String { choices[pick(choices.count)] }
    switch schema {
    case .cpu:
      let region = pick([
        "us-east-1", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "ap-southeast-2",
        "ap-northeast-1", "sa-east-1",
      ])
      return [
        ("region", region), ("datacenter", region + pick(["a", "b", "c"])), ("rack", "\(pick(100))"),
        ("os", pick(["Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"])), ("arch", pick(["x64", "x86"])),
        ("team", pick(["SF", "NYC", "LON", "CHI"])), ("service", "\(pick(20))"), ("service_version", "\(pick(2))"),
        ("service_environment", pick(["production", "staging", "test"])),
      ]
    case .iot:
      return [
        ("model", pick(["TX-100", "TX-200", "TX-200G", "RV-9", "RV-11"])), ("site", "site_\(pick(40))"),
        ("firmware", pick(["1.8.2", "1.9.0", "2.0.1", "2.1.0"])),
      ]
    case .narrow: return []
    }
  }
}
