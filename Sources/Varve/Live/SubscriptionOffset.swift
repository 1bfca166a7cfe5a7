// Where a subscription has come to, as text: what its events carry and it can be gone on from.
//
//   17                      rows: everything up to commit 17 was told
//   17@1764230400000000000  buckets: likewise of late rows, and all buckets that start before that time were told

import VarveCore

struct SubscriptionOffset: Sendable, Equatable {
  var sequence: VarveCore.Sequence
  /// Start of the first bucket that is not told; nil: there are no buckets.
  var bucket: Int64?

  var text: String { bucket.map { "\(sequence.rawValue)@\($0)" } ?? "\(sequence.rawValue)" }

  init(sequence: VarveCore.Sequence, bucket: Int64?) {
    self.sequence = sequence
    self.bucket = bucket
  }

  init(_ text: String, hasBuckets: Bool) throws {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    guard let sequence = Self.digits(parts[0]).flatMap({ UInt64($0) }), sequence < UInt64.max else {
      throw Self.refused(text)
    }
    self.sequence = VarveCore.Sequence(rawValue: sequence)
    switch (parts.count == 2, hasBuckets) {
    case (false, false): bucket = nil
    case (true, true):
      guard let time = Int64(parts[1]), time > .min, time < .max else { throw Self.refused(text) }
      bucket = time
    default:
      throw VarveError(
        .invalidArgument, "offset '\(text)' is of another kind of subscription",
        hint: hasBuckets
          ? "A subscription to buckets gives offsets like 17@1764230400000000000."
          : "A subscription to rows gives offsets like 17.", sqlState: "22023")
    }
  }

  private static func digits(_ text: Substring) -> Substring? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? text : nil
  }

  private static func refused(_ text: String) -> VarveError {
    VarveError(
      .invalidArgument, "'\(text)' is no offset",
      hint: "An offset is the id of an event of this subscription, as it came.", sqlState: "22023")
  }
}
