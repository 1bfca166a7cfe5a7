// Where results of the prompt go: the terminal, a pager when they are longer than its screen, or a file.

import VarveCore
import VarveServer

final class PromptOutput {
  /// nil: standard output.
  private var file: OutputFile?
  /// Runs what is longer than a screen; nil: nothing does.
  private let pager: String?
  /// What may still fit on the screen, and how many of its rows it takes.
  private var held: [UInt8] = []
  private var heldRows = 0
  private var running: ShellCommand?
  /// The pager was left: the rest is for nobody.
  private(set) var isClosed = false
  /// Called when that happens, to end what makes the rest.
  private let onClose: () -> Void

  init(onClose: @escaping () -> Void) {
    self.onClose = onClose
    let chosen = ProcessEnvironment.variables()["PAGER"]
    let isTerminal = StandardStreams.isTerminal(.input) && StandardStreams.isTerminal(.output)
    pager = isTerminal ? chosen ?? (ShellCommand.exists("less") ? "less -S" : nil) : nil
  }

  var isFile: Bool { file != nil }
  var hasColours: Bool { file == nil && StandardStreams.isTerminal(.output) }

  /// nil: back to standard output.
  func redirect(to path: String?) throws { file = try path.map { try OutputFile($0) } }

  func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    if let file { return try file.write(bytes) }
    guard let pager, !pager.isEmpty else { return try StandardStreams.write(bytes) }
    if isClosed { return }
    if let running { return try pass(bytes, to: running) }
    held += bytes
    heldRows += bytes.count { $0 == 0x0A }
    if heldRows < (StandardStreams.height(.output) ?? 24) - 1 { return }
    let command = try ShellCommand(pager, takesInput: true)
    running = command
    try held.withUnsafeBytes { try pass($0, to: command) }
    held = []
  }

  private func pass(_ bytes: UnsafeRawBufferPointer, to command: ShellCommand) throws {
    guard try !command.write(bytes) else { return }
    isClosed = true
    onClose()
  }

  /// A result is complete: what was held is shown, or the pager is waited for.
  func end() throws {
    defer {
      running = nil
      held = []
      heldRows = 0
      isClosed = false
    }
    if let running {
      running.wait()
    } else if !held.isEmpty {
      try held.withUnsafeBytes { try StandardStreams.write($0) }
    }
  }
}
