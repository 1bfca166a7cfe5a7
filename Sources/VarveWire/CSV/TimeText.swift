// Times as text: ISO 8601 and its everyday form with a space.

/// `YYYY-MM-DD`, optionally followed by `T` or a space and `HH:MM[:SS[.fraction]]`, and then `Z` or an offset
/// `±HH[:MM]`; UTC where there is none. Nanoseconds since 1970; nil for anything else, or beyond what 64 bits hold.
func parseTimeText(_ p: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
  var i = 0
  func digits(_ wanted: Int) -> Int? {
    guard count - i >= wanted else { return nil }
    var value = 0
    for k in 0..<wanted {
      let digit = p[i + k] &- 0x30
      guard digit < 10 else { return nil }
      value = value * 10 + Int(digit)
    }
    i += wanted
    return value
  }
  func take(_ byte: UInt8) -> Bool {
    guard i < count, p[i] == byte else { return false }
    i += 1
    return true
  }

  guard let year = digits(4), take(0x2D), let month = digits(2), take(0x2D), let day = digits(2),
    (1...12).contains(month), day >= 1, day <= daysOfMonth(year, month)
  else { return nil }
  var seconds = daysSince1970(year, month, day) * 86_400
  var nanoseconds = 0
  if i < count {
    guard take(0x54) || take(0x20) || take(0x74), let hour = digits(2), hour < 24, take(0x3A),
      let minute = digits(2), minute < 60
    else { return nil }
    seconds += hour * 3600 + minute * 60
    if take(0x3A) {
      guard let second = digits(2), second < 60 else { return nil }
      seconds += second
      if take(0x2E) || take(0x2C) {
        var scale = 100_000_000
        let start = i
        while i < count, p[i] &- 0x30 < 10 {
          // Digits beyond nanoseconds are dropped.
          nanoseconds += Int(p[i] &- 0x30) * scale
          scale /= 10
          i += 1
        }
        guard i > start else { return nil }
      }
    }
    if !take(0x5A), !take(0x7A), i < count {
      let negative = p[i] == 0x2D
      guard take(0x2B) || take(0x2D), let hours = digits(2), hours < 24 else { return nil }
      var minutes = 0
      if i < count {
        _ = take(0x3A)
        guard let given = digits(2), given < 60 else { return nil }
        minutes = given
      }
      let offset = hours * 3600 + minutes * 60
      seconds += negative ? offset : -offset
    }
  }
  guard i == count else { return nil }
  let (product, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
  guard !overflow else { return nil }
  let (sum, overflow2) = product.addingReportingOverflow(Int64(nanoseconds))
  return overflow2 ? nil : sum
}

private func daysOfMonth(_ year: Int, _ month: Int) -> Int {
  switch month {
  case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
  case 4, 6, 9, 11: 30
  default: 31
  }
}

/// Days of the proleptic Gregorian calendar (Howard Hinnant's days_from_civil).
private func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
  let y = month <= 2 ? year - 1 : year
  let era = (y >= 0 ? y : y - 399) / 400
  let yearOfEra = y - era * 400
  let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
  let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}
