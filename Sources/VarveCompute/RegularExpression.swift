// Regular expressions: PostgreSQL's advanced ones, run by PCRE2 (PatternTranslator says them in its dialect).
//
// A match begins as early as it can; among those that begin there PostgreSQL takes the longest, or the shortest where
// the expression as a whole prefers that, while PCRE2 takes the first in order of alternatives. Where the two could
// differ, PCRE2's other matcher (all alternatives at once, without groups) finds the end, and a callout at the end of
// the expression has the usual one find the groups of the match that ends there.
//
// Every match is under limits of steps, depth and memory: what would run for ages ends in an error.

import CPCRE2
import VarveCore

final class RegularExpression {
  struct Match {
    /// Of the whole, then of the groups; bytes.
    let ranges: [Range<Int>?]
    var range: Range<Int> { ranges[0] ?? 0..<0 }
  }

  /// Steps that a match may take: some for every text, and some for each of its bytes.
  private static let baseStepLimit = 200_000
  private static let stepLimitPerByte = 64
  private static let depthLimit: UInt32 = 250_000
  private static let heapLimitKilobytes: UInt32 = 64 * 1024
  private static let patternLimit = 64 * 1024
  /// Compiling to machine code pays from some number of texts on.
  static let jitThreshold = 64

  private let code: OpaquePointer
  private let matchData: OpaquePointer
  private let context: OpaquePointer
  private let preference: PatternTranslator.Preference
  private let isAmbiguous: Bool
  private var workspace: [Int32] = []
  private let wanted: UnsafeMutablePointer<Int>

  let groupCount: Int

  /// Throws 2201B for what is no regular expression, 0A000 for what cannot be said to PCRE2. `texts`: how many are
  /// going to be matched.
  init(_ pattern: String, flags: PatternTranslator.Flags = PatternTranslator.Flags(), texts: Int = 1) throws {
    guard pattern.utf8.count <= Self.patternLimit else {
      throw PatternTranslator.invalid("regular expression is too complex")
    }
    var translator = PatternTranslator(pattern, flags)
    let translated = try translator.translate()
    var options = PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY
    if translated.ignoresCase { options |= PCRE2_CASELESS }
    var errorCode: Int32 = 0
    var errorOffset = 0
    // The callout stands behind everything: it decides whether the end will do.
    var text = translated.isAmbiguous ? "(?:" + translated.pattern + ")(?C1)" : translated.pattern
    let compiled = text.withUTF8 {
      pcre2_compile_8($0.baseAddress, $0.count, options, &errorCode, &errorOffset, nil)
    }
    guard let compiled else { throw PatternTranslator.invalid(Self.message(errorCode)) }
    guard let data = pcre2_match_data_create_from_pattern_8(compiled, nil),
      let context = pcre2_match_context_create_8(nil)
    else { preconditionFailure("memory for a match") }
    code = compiled
    matchData = data
    self.context = context
    preference = translated.preference
    isAmbiguous = translated.isAmbiguous
    groupCount = translated.groupCount
    pcre2_set_depth_limit_8(context, Self.depthLimit)
    pcre2_set_heap_limit_8(context, Self.heapLimitKilobytes)
    wanted = .allocate(capacity: 1)
    wanted.initialize(to: -1)
    pcre2_set_callout_8(
      context,
      { block, wanted in
        guard let block, let wanted = wanted?.assumingMemoryBound(to: Int.self).pointee else { return 0 }
        // Not there: as if nothing had matched here; the matcher goes on looking.
        return wanted < 0 || block.pointee.current_position == wanted ? 0 : 1
      }, wanted)
    if texts >= Self.jitThreshold { _ = pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE) }
  }

  deinit {
    pcre2_match_context_free_8(context)
    pcre2_match_data_free_8(matchData)
    pcre2_code_free_8(code)
    wanted.deallocate()
  }

  private static func message(_ code: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let length = pcre2_get_error_message_8(code, &buffer, 256)
    return length > 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "error \(code)"
  }

  /// Whether the text has a match anywhere.
  func matches(_ text: UnsafeBufferPointer<UInt8>) throws -> Bool {
    wanted.pointee = -1
    return try run(text, from: 0, options: 0)
  }

  /// The first match at or behind a byte.
  func firstMatch(in text: UnsafeBufferPointer<UInt8>, from start: Int) throws -> Match? {
    wanted.pointee = -1
    guard try run(text, from: start, options: 0) else { return nil }
    guard isAmbiguous, let usual = ranges()[0] else { return Match(ranges: ranges()) }
    let end = try end(in: text, from: usual.lowerBound)
    wanted.pointee = end
    guard try run(text, from: usual.lowerBound, options: PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK) else {
      preconditionFailure("both of PCRE2's matchers find the same matches")
    }
    return Match(ranges: ranges())
  }

  private func ranges() -> [Range<Int>?] {
    guard let vector = pcre2_get_ovector_pointer_8(matchData) else { return [] }
    // A group that took no part has ends of all ones.
    return (0...groupCount).map { i in
      let (from, to) = (Int(truncatingIfNeeded: vector[2 * i]), Int(truncatingIfNeeded: vector[2 * i + 1]))
      return from < 0 || to < from ? nil : from..<to
    }
  }

  private func run(_ text: UnsafeBufferPointer<UInt8>, from start: Int, options: UInt32) throws -> Bool {
    limitSteps(text.count)
    let subject = text.baseAddress ?? Self.nothing
    var result = pcre2_match_8(code, subject, text.count, start, options, matchData, context)
    if result == PCRE2_ERROR_JIT_STACKLIMIT {
      result = pcre2_match_8(code, subject, text.count, start, options | PCRE2_NO_JIT, matchData, context)
    }
    if result >= 0 { return true }
    if result == PCRE2_ERROR_NOMATCH { return false }
    throw Self.failure(result)
  }

  /// The end of the longest match from there, or of the shortest where that is preferred.
  private func end(in text: UnsafeBufferPointer<UInt8>, from start: Int) throws -> Int {
    wanted.pointee = -1
    limitSteps(text.count)
    if workspace.isEmpty { workspace = [Int32](repeating: 0, count: 1000) }
    let options = PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK | (preference == .shortest ? PCRE2_DFA_SHORTEST : 0)
    while true {
      let room = workspace.count
      let result = pcre2_dfa_match_8(
        code, text.baseAddress ?? Self.nothing, text.count, start, options, matchData, context, &workspace, room)
      // 0: more matches than places for them; the longest ones are there.
      if result >= 0, let range = ranges()[0] { return range.upperBound }
      guard result == PCRE2_ERROR_DFA_WSSIZE, room < 1 << 20 else { throw Self.failure(result) }
      workspace = [Int32](repeating: 0, count: room * 4)
    }
  }

  private func limitSteps(_ byteCount: Int) {
    pcre2_set_match_limit_8(context, UInt32(clamping: Self.baseStepLimit + Self.stepLimitPerByte * byteCount))
  }

  /// What an empty text points to: never written, so any thread may read it.
  nonisolated(unsafe) private static let nothing: UnsafePointer<UInt8> = {
    let byte = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    byte.initialize(to: 0)
    return UnsafePointer(byte)
  }()

  private static func failure(_ result: Int32) -> VarveError {
    switch result {
    case PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_DEPTHLIMIT, PCRE2_ERROR_HEAPLIMIT, PCRE2_ERROR_JIT_STACKLIMIT,
      PCRE2_ERROR_DFA_WSSIZE, PCRE2_ERROR_DFA_RECURSE, PCRE2_ERROR_NOMEMORY:
      SQLError.make(
        "2201B", "regular expression failed: regular expression is too complex for this text",
        hint: "Nested repetitions such as (a+)+ take exponentially many steps: say each of them once.")
    default: SQLError.make("2201B", "regular expression failed: \(message(result))")
    }
  }
}
