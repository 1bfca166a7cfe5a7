// Schemes of addresses that layers above bring stores for.

import VarveCore

/// An address, taken apart.
package struct ObjectStoreAddress: Sendable {
  /// As it was written.
  package let text: String
  /// In small letters.
  package let scheme: String
  /// What stands behind `://`, as it was written.
  package let rest: Substring

  /// nil if there is no scheme.
  package init?(_ text: String) {
    guard let colon = text.firstRange(of: "://"), colon.lowerBound > text.startIndex else { return nil }
    self.text = text
    scheme = text[..<colon.lowerBound].lowercased()
    rest = text[colon.upperBound...]
  }
}

/// Who opens the stores of which scheme. A program that has none of them works with directories alone.
package struct ObjectStoreSchemes: Sendable {
  /// Nothing is looked at yet. Throws `.invalidArgument`, or what is wrong with the program's settings.
  package typealias Opener = @Sendable (_ address: ObjectStoreAddress) throws -> any ObjectStore

  private let openers: [String: Opener]

  package static let none = ObjectStoreSchemes([:])

  /// By scheme, in small letters.
  package init(_ openers: [String: Opener]) { self.openers = openers }

  func opener(_ scheme: String) -> Opener? { openers[scheme] }
}
