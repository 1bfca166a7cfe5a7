// to_char of numbers: PostgreSQL's templates of formatting.c (NUMDesc_prepare and NUM_processor), with the C locale's
// signs, point and separators.

import VarveCore

struct NumberFormat {
  enum Element: Equatable {
    case digit, zero, point, comma, minus, plus, sign, ordinal(upper: Bool), roman(upper: Bool), currency
    case text(String)
    /// What has done its work when the template was read.
    case nothing
  }
  private(set) var elements: [Element] = []
  /// Digits before and behind the point, and of V.
  private(set) var before = 0
  private(set) var behind = 0
  private(set) var shift = 0
  private(set) var zeroStart = 0
  private(set) var zeroEnd = 0
  private(set) var hasZero = false
  private(set) var hasPoint = false
  private(set) var isFilled = false
  private(set) var hasBrackets = false
  private(set) var hasPlus = false
  private(set) var hasMinus = false
  private(set) var isRoman = false
  private(set) var isScientific = false
  private var hasShift = false
  private enum SignPlace { case none, front, behind }
  private var signPlace = SignPlace.none
  private var digitsBeforeSign = 0

  static func invalid(_ message: String) -> VarveError { SQLError.make("42601", message) }

  private static let keywords: [(String, Element)] = [
    ("EEEE", .nothing), ("FM", .nothing), ("MI", .minus), ("PL", .plus), ("PR", .nothing), ("RN", .roman(upper: true)),
    ("SG", .sign), ("TH", .ordinal(upper: true)), (",", .comma), (".", .point), ("0", .zero), ("9", .digit),
    ("B", .nothing), ("D", .point), ("G", .comma), ("L", .currency), ("S", .nothing), ("V", .nothing),
  ]

  init(_ template: String) throws {
    let text = Array(template.unicodeScalars)
    var i = 0
    while i < text.count {
      if text[i] == "\"" {
        i += 1
        var literal = String.UnicodeScalarView()
        while i < text.count, text[i] != "\"" {
          if text[i] == "\\", i + 1 < text.count { i += 1 }
          literal.append(text[i])
          i += 1
        }
        i += 1
        elements.append(.text(String(literal)))
        continue
      }
      if text[i] == "\\", i + 1 < text.count, text[i + 1] == "\"" {
        i += 1
      } else if let (word, element) = Self.keyword(text, i) {
        let isLower = text[i].properties.isLowercase
        i += word.unicodeScalars.count
        try take(word, element, isLower: isLower)
        continue
      }
      elements.append(.text(String(text[i])))
      i += 1
    }
    if isScientific, isFilled || hasBrackets || hasPlus || hasMinus || signPlace != .none || isRoman || hasShift {
      throw Self.invalid("\"EEEE\" is incompatible with other formats")
    }
  }

  private static func keyword(_ text: [Unicode.Scalar], _ at: Int) -> (String, Element)? {
    keywords.first { word, _ in
      let scalars = Array(word.unicodeScalars)
      guard at + scalars.count <= text.count else { return false }
      return zip(scalars, text[at...]).allSatisfy {
        $0 == $1 || ($1.isASCII && Unicode.Scalar(UInt8($1.value) & 0xDF) == $0 && $0.properties.isAlphabetic)
      }
    }
  }

  private mutating func take(_ word: String, _ element: Element, isLower: Bool) throws {
    switch word {
    case "9", "0":
      if hasBrackets { throw Self.invalid("\"\(word)\" must be ahead of \"PR\"") }
      if word == "0", !hasZero, !hasPoint {
        hasZero = true
        zeroStart = before
      }
      if hasShift, word == "9" {
        shift += 1
      } else if hasPoint {
        behind += 1
      } else {
        before += 1
      }
      if word == "0" { zeroEnd = before + behind }
    case ".", "D":
      if hasPoint { throw Self.invalid("multiple decimal points") }
      if hasShift { throw Self.invalid("cannot use \"V\" and decimal point together") }
      hasPoint = true
    case "FM": isFilled = true
    case "S":
      if signPlace != .none { throw Self.invalid("cannot use \"S\" twice") }
      if hasPlus || hasMinus || hasBrackets {
        throw Self.invalid("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
      }
      signPlace = hasPoint ? .behind : .front
      if !hasPoint { digitsBeforeSign = before }
    case "MI", "PL", "SG":
      if signPlace != .none { throw Self.invalid("cannot use \"S\" and \"\(word)\" together") }
      if word != "PL" { hasMinus = true }
      if word != "MI" { hasPlus = true }
    case "PR":
      if signPlace != .none || hasPlus || hasMinus {
        throw Self.invalid("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together")
      }
      hasBrackets = true
    case "RN": isRoman = true
    case "V":
      if hasPoint { throw Self.invalid("cannot use \"V\" and decimal point together") }
      hasShift = true
    case "EEEE":
      if isScientific { throw Self.invalid("cannot use \"EEEE\" twice") }
      isScientific = true
    default: break
    }
    switch element {
    case .ordinal: elements.append(.ordinal(upper: !isLower))
    case .roman: elements.append(.roman(upper: !isLower))
    default: elements.append(element)
    }
  }

  // MARK: Writing

  func string(_ value: Numeric) throws -> String {
    if isRoman {
      guard let whole = Int32(exactly: try value.integerRounded(.int4)) else { throw SQLError.outOfRange(.int4) }
      return write(digits: Self.roman(Int(whole)), isNegative: false, leadingSpaces: 0)
    }
    if isScientific { return try scientific(value) }
    guard value.isFinite else {
      let isOrdinal = elements.contains { if case .ordinal = $0 { true } else { false } }
      if isOrdinal, !hasPoint { throw SQLError.make("22P02", "\"\(value.text)\" is not a number") }
      return fitted(value.magnitude().text, isNegative: value.isNegative, behind: behind)
    }
    var scaled = value
    if shift > 0 { scaled = try Numeric.multiplying(value, Numeric(Int64(1)).shifted(shift)) }
    let rounded = try scaled.rescaled(to: behind)
    return fitted(rounded.magnitude().text, isNegative: rounded.isNegative, behind: behind)
  }

  /// Doubles show no more than fifteen digits.
  func string(_ value: Double) throws -> String {
    if isRoman {
      // What has no Roman numeral is shown as such, however large it is.
      return write(
        digits: Self.roman(Int(exactly: value.rounded(.toNearestOrEven)) ?? 0), isNegative: false, leadingSpaces: 0)
    }
    if isScientific || !value.isFinite { return try string(Numeric(value, digits: 17)) }
    let scaled = shift > 0 ? value * Transcendental.powerOfTen(shift) : value
    guard scaled.isFinite else { throw SQLError.outOfRange(.float8) }
    let whole = try Numeric(exactly: scaled.magnitude, scale: 0).text
    let places = whole.utf8.count >= 15 ? 0 : min(behind, 15 - whole.utf8.count)
    let digits = try Numeric(exactly: scaled.magnitude, scale: places)
    return fitted(digits.text, isNegative: scaled.sign == .minus, behind: places)
  }

  private func fitted(_ digits: String, isNegative: Bool, behind: Int) -> String {
    let wholeCount = digits.utf8.prefix { $0 != UInt8(ascii: ".") }.count
    let room = before + shift
    if wholeCount > room {
      var filled = [UInt8](repeating: UInt8(ascii: "#"), count: room + behind + 1)
      filled[room] = UInt8(ascii: ".")
      return write(digits: String(decoding: filled, as: UTF8.self), isNegative: isNegative, leadingSpaces: 0)
    }
    return write(digits: digits, isNegative: isNegative, leadingSpaces: room - wholeCount)
  }

  private func scientific(_ value: Numeric) throws -> String {
    guard value.isFinite else {
      return String(repeating: "#", count: before + behind + 6).replacingFirst(at: before + 1)
    }
    let digits = Numeric.digits(of: value.wide)
    var exponent = digits.isEmpty ? 0 : digits.count - 1 - value.scale
    // To behind + 1 digits, halves away from zero.
    var mantissa = try value.magnitude().shifted(-exponent).rescaled(to: behind)
    if mantissa >= Numeric(Int64(10)) {
      exponent += 1
      mantissa = try value.magnitude().shifted(-exponent).rescaled(to: behind)
    }
    let magnitude = String(exponent.magnitude)
    return (value.isNegative ? "-" : " ") + mantissa.text + "e" + (exponent < 0 ? "-" : "+")
      + (magnitude.utf8.count < 2 ? "0" : "") + magnitude
  }

  static func roman(_ value: Int) -> String {
    guard value > 0, value < 4000 else { return String(repeating: "#", count: 15) }
    let parts = [
      (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
      (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ]
    var rest = value
    var out = ""
    for (size, letters) in parts {
      while rest >= size {
        out += letters
        rest -= size
      }
    }
    return out
  }

  static func ordinal(_ digits: some BidirectionalCollection<UInt8>, upper: Bool) -> String {
    let last = digits.last ?? 0x30
    let before = digits.dropLast().last
    let ending =
      before == UInt8(ascii: "1")
      ? "th" : (last == 0x31 ? "st" : (last == 0x32 ? "nd" : (last == 0x33 ? "rd" : "th")))
    return upper ? ending.uppercased() : ending
  }

  private func write(digits: String, isNegative: Bool, leadingSpaces: Int) -> String {
    var writer = Writer(self, Array(digits.utf8), isNegative, leadingSpaces)
    for element in elements { writer.write(element) }
    return String(decoding: writer.out, as: UTF8.self)
  }

  /// NUM_processor: walks the template and the digits side by side.
  private struct Writer {
    private let format: NumberFormat
    private let digits: [UInt8]
    private let isNegative: Bool
    private let leadingSpaces: Int
    private var hasBrackets: Bool
    private var signPlace: SignPlace
    private var signIsWritten: Bool
    private var count: Int
    /// Of the last digit behind the point that is not an idle zero; the point itself; -1: does not matter.
    private var lastRelevant = -1
    private var place = 0
    private var at = 0
    private var inNumber = false
    var out: [UInt8] = []

    init(_ format: NumberFormat, _ digits: [UInt8], _ isNegative: Bool, _ leadingSpaces: Int) {
      self.format = format
      self.digits = digits
      self.isNegative = isNegative
      self.leadingSpaces = leadingSpaces
      hasBrackets = format.hasBrackets
      signPlace = format.signPlace
      if format.hasPlus || format.hasMinus {
        signIsWritten = !(format.hasPlus && !format.hasMinus)
      } else {
        if !isNegative, format.isFilled { hasBrackets = false }
        signIsWritten = !isNegative && format.isFilled && signPlace == .none
        if signPlace == .front, format.before == format.digitsBeforeSign { signPlace = .behind }
      }
      count = format.behind + format.before + format.shift - 1
      if format.isFilled, format.hasPoint, let point = digits.firstIndex(of: UInt8(ascii: ".")) {
        lastRelevant = digits.lastIndex { $0 != 0x30 && $0 != UInt8(ascii: ".") }.map { max($0, point) } ?? point
        if format.zeroEnd > leadingSpaces {
          lastRelevant = max(lastRelevant, min(digits.count - 1, format.zeroEnd - leadingSpaces))
        }
      }
      if !signIsWritten, leadingSpaces == 0 { count += 1 }
    }

    private var pointIsLast: Bool { lastRelevant >= 0 && digits[lastRelevant] == UInt8(ascii: ".") }
    /// The single zero before a point.
    private var isIdleZero: Bool { !format.hasZero && at == 0 && digits.first == 0x30 && format.behind != 0 }

    mutating func write(_ element: Element) {
      switch element {
      case .digit, .zero, .point: number(element)
      case .comma:
        if inNumber {
          out.append(UInt8(ascii: ","))
        } else if !format.isFilled {
          out.append(0x20)
        }
      case .currency: out.append(0x20)
      case .minus:
        if isNegative { out.append(UInt8(ascii: "-")) } else if !format.isFilled { out.append(0x20) }
      case .plus:
        if !isNegative { out.append(UInt8(ascii: "+")) } else if !format.isFilled { out.append(0x20) }
      case .sign: out.append(isNegative ? UInt8(ascii: "-") : UInt8(ascii: "+"))
      case .ordinal(let upper):
        if format.isRoman || digits.first == UInt8(ascii: "#") || isNegative || format.hasPoint { return }
        out += NumberFormat.ordinal(digits, upper: upper).utf8
      case .roman(let upper):
        var text = String(decoding: digits, as: UTF8.self)
        if !upper { text = text.lowercased() }
        let padding = format.isFilled ? 0 : max(15 - text.utf8.count, 0)
        out += [UInt8](repeating: 0x20, count: padding) + text.utf8
      case .text(let text): out += text.utf8
      case .nothing: break
      }
    }

    private mutating func number(_ element: Element) {
      if format.isRoman { return }
      inNumber = false
      writeSign()
      if place < leadingSpaces, !format.hasZero || format.zeroStart > place {
        if !format.isFilled { out.append(0x20) }
      } else if format.hasZero, place < leadingSpaces, format.zeroStart <= place {
        out.append(0x30)
        inNumber = true
      } else {
        writeDigit(element)
        if at < digits.count { at += 1 }
      }
      var end = count + (leadingSpaces > 0 ? 1 : 0) + (format.hasPoint ? 1 : 0)
      if lastRelevant >= 0, lastRelevant == at { end = place }
      if place + 1 == end {
        if signIsWritten, hasBrackets {
          out.append(isNegative ? UInt8(ascii: ">") : 0x20)
        } else if signPlace == .behind {
          out.append(isNegative ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        }
      }
      place += 1
    }

    private mutating func writeSign() {
      guard !signIsWritten, place >= leadingSpaces || (format.hasZero && format.zeroStart == place),
        !isIdleZero || pointIsLast
      else { return }
      if signPlace != .none {
        if signPlace == .front {
          out.append(isNegative ? UInt8(ascii: "-") : UInt8(ascii: "+"))
          signIsWritten = true
        }
      } else if hasBrackets {
        out.append(isNegative ? UInt8(ascii: "<") : 0x20)
        signIsWritten = true
      } else {
        if isNegative { out.append(UInt8(ascii: "-")) } else if !format.isFilled { out.append(0x20) }
        signIsWritten = true
      }
    }

    private mutating func writeDigit(_ element: Element) {
      let digit = at < digits.count ? digits[at] : nil
      if digit == UInt8(ascii: ".") {
        if !pointIsLast || format.isFilled { out.append(UInt8(ascii: ".")) }
      } else if lastRelevant >= 0, at > lastRelevant, element != .zero {
        return
      } else if isIdleZero {
        if !format.isFilled { out.append(0x20) } else if pointIsLast { out.append(0x30) }
      } else if let digit {
        out.append(digit)
        inNumber = true
      }
    }
  }
}

extension String {
  /// Itself with a point at one place and a space in front.
  fileprivate func replacingFirst(at place: Int) -> String {
    var bytes = Array(utf8)
    bytes[0] = 0x20
    bytes[place] = UInt8(ascii: ".")
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension Transcendental {
  static func powerOfTen(_ exponent: Int) -> Double { FloatText.powersOfTen[min(exponent, 22)] }
}

extension Numeric {
  /// Times 10^places.
  func shifted(_ places: Int) throws -> Numeric {
    guard isFinite else { return self }
    if places <= scale {
      return try Numeric(negative: isNegative, magnitude: wide, scale: scale - places)
    }
    return try Numeric(
      negative: isNegative, magnitude: wide * WideInteger.powerOfTen(places - scale), scale: 0)
  }

  /// A finite double's exact value, rounded to some places as printf does: halves to even.
  init(exactly value: Double, scale: Int) throws {
    let significand = WideInteger(UInt128(value.magnitude.significandBitPattern | (value.isNormal ? 1 << 52 : 0)))
    let exponent = (value.isNormal ? Int(value.exponentBitPattern) : 1) - 1075
    let scaled = significand * WideInteger.powerOfTen(scale)
    if exponent >= 0 || value == 0 {
      try self.init(negative: value < 0, magnitude: value == 0 ? WideInteger(0) : scaled << exponent, scale: scale)
      return
    }
    let divisor = WideInteger(1) << -exponent
    var (quotient, remainder) = scaled.divided(by: divisor)
    let twice = remainder << 1
    if twice > divisor || (twice == divisor && quotient.isOdd) { quotient = quotient + WideInteger(1) }
    try self.init(negative: value < 0, magnitude: quotient, scale: scale)
  }
}

extension WideInteger {
  var isOdd: Bool { (limbs.first ?? 0) & 1 == 1 }
}
