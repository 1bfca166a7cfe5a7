// What all policies have in common: their first byte, of which bit 0 says that the job is paused.

import VarveCore

enum PolicyFlags {
  static let paused: UInt8 = 1

  static func isPaused(_ policy: [UInt8]) -> Bool { policy.first.map { $0 & paused != 0 } ?? false }

  static func paused(_ policy: [UInt8], _ isPaused: Bool) throws -> [UInt8] {
    guard let flags = policy.first else { throw VarveError(.corruption, "a policy is described by nothing") }
    return [isPaused ? flags | paused : flags & ~paused] + policy.dropFirst()
  }
}
