// Values of `varve bench`'s options, as people write them.

import ArgumentParser
import VarveBench
import VarveServer

extension LoadPlan.Schema: ExpressibleByArgument {}
extension LoadPlan.Order: ExpressibleByArgument {}
extension LoadOptions.Transport: ExpressibleByArgument {}

/// A whole number, also with k, M or G behind it.
struct CountArgument: ExpressibleByArgument {
  let value: Int

  init?(argument: String) {
    let units = ["k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000]
    let unit = argument.last.flatMap { units[String($0)] }
    guard let number = Int(unit == nil ? argument : String(argument.dropLast())), number >= 0 else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
    if overflow { return nil }
    value = product
  }
}

/// `5%` or 0.05.
struct ShareArgument: ExpressibleByArgument {
  let value: Double

  init?(argument: String) {
    let isPercent = argument.hasSuffix("%")
    guard let number = Double(isPercent ? String(argument.dropLast()) : argument) else { return nil }
    value = isPercent ? number / 100 : number
    if !(0...1).contains(value) { return nil }
  }
}

/// `500ms`, `10s`, `1h`.
struct DurationArgument: ExpressibleByArgument {
  /// A hundred years.
  private static let longest = 3_155_760_000_000

  let milliseconds: Int
  var nanoseconds: Int64 { Int64(milliseconds) * 1_000_000 }

  init?(argument: String) {
    guard case .success(.duration(let milliseconds)) = SettingKind.duration.value(of: argument),
      (1...Self.longest).contains(milliseconds)
    else { return nil }
    self.milliseconds = milliseconds
  }
}

struct AddressArgument: ExpressibleByArgument {
  let address: ListenAddress

  init?(argument: String) {
    guard let address = ListenAddress(argument), address.port > 0 else { return nil }
    self.address = address
  }
}
