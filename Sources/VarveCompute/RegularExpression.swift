// Regular expressions of the POSIX extended kind, the subset that catalogs and people use: literals, `.`,
// brackets with ranges, negation and [:classes:], `* + ? {m,n}`, `|`, groups, `^`, `$`, and the escapes
// \d \s \w \D \S \W and of single signs. Anything else (back references, look-around, \y …) is refused with 0A000.
//
// Compiled to a program for Thompson's simulation (Pike's machine without captures): time is text × program,
// whatever the pattern.

import VarveCore

struct RegularExpression {
  enum Instruction {
    case character(UInt32)
    case any
    case set([ClosedRange<UInt32>], negated: Bool)
    case split(Int, Int)
    case jump(Int)
    case start, end
    case match
  }
  private let program: [Instruction]
  private let ignoresCase: Bool

  static let programLimit = 20_000
  static let depthLimit = 100

  indirect enum Node {
    case empty
    case character(UInt32)
    case any
    case set([ClosedRange<UInt32>], negated: Bool)
    case start, end
    case sequence([Node])
    case alternatives([Node])
    case repeated(Node, min: Int, max: Int?)
  }

  /// Throws 2201B for what is no regular expression, 0A000 for what this matcher does not have.
  init(_ pattern: String, ignoresCase: Bool) throws {
    var parser = RegularExpressionParser(pattern, ignoresCase: ignoresCase)
    let node = try parser.parse()
    self.ignoresCase = ignoresCase
    var compiler = Compiler()
    try compiler.compile(node)
    compiler.program.append(.match)
    program = compiler.program
  }

  private struct Compiler {
    var program: [Instruction] = []

    mutating func compile(_ node: Node) throws {
      guard program.count < RegularExpression.programLimit else {
        throw SQLError.make("2201B", "invalid regular expression: regular expression is too complex")
      }
      switch node {
      case .empty: break
      case .character(let c): program.append(.character(c))
      case .any: program.append(.any)
      case .set(let ranges, let negated): program.append(.set(ranges, negated: negated))
      case .start: program.append(.start)
      case .end: program.append(.end)
      case .sequence(let nodes): for node in nodes { try compile(node) }
      case .alternatives(let nodes):
        var jumps: [Int] = []
        for (i, node) in nodes.enumerated() {
          if i == nodes.count - 1 {
            try compile(node)
            break
          }
          let split = program.count
          program.append(.split(split + 1, 0))
          try compile(node)
          jumps.append(program.count)
          program.append(.jump(0))
          program[split] = .split(split + 1, program.count)
        }
        for jump in jumps { program[jump] = .jump(program.count) }
      case .repeated(let node, let least, let most):
        let before = program.count
        for _ in 0..<least {
          try compile(node)
          // What compiles to nothing stays nothing however often.
          if program.count == before { return }
        }
        if let most {
          var splits: [Int] = []
          for _ in least..<max(most, least) {
            splits.append(program.count)
            program.append(.split(program.count + 1, 0))
            try compile(node)
          }
          for split in splits { program[split] = .split(split + 1, program.count) }
        } else {
          let split = program.count
          program.append(.split(split + 1, 0))
          try compile(node)
          program.append(.jump(split))
          program[split] = .split(split + 1, program.count)
        }
      }
    }
  }

  static func fold(_ c: UInt32) -> UInt32 {
    if c < 0x80 { return c >= 0x41 && c <= 0x5A ? c + 32 : c }
    guard let scalar = UnicodeScalar(c) else { return c }
    let mapped = scalar.properties.lowercaseMapping.unicodeScalars
    return mapped.count == 1 ? mapped.first?.value ?? c : c
  }

  /// Whether the pattern is found anywhere in the text.
  func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var current = ThreadList(program.count)
    var next = ThreadList(program.count)
    let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
    var atStart = true
    var iterator = scalars.makeIterator()
    var pending = iterator.next()
    while true {
      let atEnd = pending == nil
      // Every position may begin a match.
      if add(0, to: &current, atStart: atStart, atEnd: atEnd) { return true }
      guard let scalar = pending else { return false }
      pending = iterator.next()
      let c = ignoresCase ? RegularExpression.fold(scalar.value) : scalar.value
      let nextIsEnd = pending == nil
      for thread in current.threads {
        let taken: Bool
        switch program[thread] {
        case .character(let wanted): taken = wanted == c
        case .any: taken = true
        case .set(let ranges, let negated): taken = ranges.contains { $0.contains(c) } != negated
        default: taken = false
        }
        if taken, add(thread + 1, to: &next, atStart: false, atEnd: nextIsEnd) { return true }
      }
      swap(&current, &next)
      next.clear()
      atStart = false
    }
  }

  private struct ThreadList {
    var threads: [Int] = []
    var seen: [UInt32]
    var generation: UInt32 = 1
    init(_ count: Int) { seen = [UInt32](repeating: 0, count: count) }
    mutating func clear() {
      threads.removeAll(keepingCapacity: true)
      generation &+= 1
      if generation == 0 {
        for i in seen.indices { seen[i] = 0 }
        generation = 1
      }
    }
  }

  /// Follows jumps; true when a match is reached. Its own stack: programs may be deep.
  private func add(_ start: Int, to list: inout ThreadList, atStart: Bool, atEnd: Bool) -> Bool {
    var stack = [start]
    while let pc = stack.popLast() {
      if list.seen[pc] == list.generation { continue }
      list.seen[pc] = list.generation
      switch program[pc] {
      case .match: return true
      case .jump(let to): stack.append(to)
      case .split(let a, let b):
        stack.append(b)
        stack.append(a)
      case .start: if atStart { stack.append(pc + 1) }
      case .end: if atEnd { stack.append(pc + 1) }
      default: list.threads.append(pc)
      }
    }
    return false
  }
}
