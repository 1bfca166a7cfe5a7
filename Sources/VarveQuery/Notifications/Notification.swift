// LISTEN and NOTIFY: what one session tells another by a channel's name, as PostgreSQL has it.

import VarveCompute
import VarveCore

package struct Notification: Sendable, Hashable {
  package let channel: String
  package let payload: String
  /// The session that told it; 0: the store itself.
  package let processID: Int32

  package init(channel: String, payload: String, processID: Int32) {
    self.channel = channel
    self.payload = payload
    self.processID = processID
  }

  /// Channels of commits: `varve.table:readings`.
  package static let tablePrefix = "varve.table:"

  /// The table whose commits a channel tells; nil: it is a channel of sessions.
  package static func table(ofChannel channel: String) -> String? {
    channel.utf8.starts(with: tablePrefix.utf8)
      ? String(decoding: channel.utf8.dropFirst(tablePrefix.utf8.count), as: UTF8.self) : nil
  }

  var byteCount: Int { 64 + channel.utf8.count + payload.utf8.count }

  package static func == (a: Notification, b: Notification) -> Bool {
    a.processID == b.processID && a.channel.utf8.elementsEqual(b.channel.utf8)
      && a.payload.utf8.elementsEqual(b.payload.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    for byte in channel.utf8 { hasher.combine(byte) }
    hasher.combine(UInt8(0))
    for byte in payload.utf8 { hasher.combine(byte) }
  }

  static func checkChannel(_ channel: String) throws {
    if channel.isEmpty { throw SQLError.make("22023", "channel name cannot be empty") }
    if channel.utf8.count > Limits.nameByteCount { throw SQLError.make("22023", "channel name too long") }
  }

  static func check(_ channel: String, _ payload: String) throws {
    try checkChannel(channel)
    if payload.utf8.count > Limits.notificationByteCount { throw SQLError.make("22023", "payload string too long") }
    if table(ofChannel: channel) != nil {
      throw SQLError.make(
        "42939", "channel \"\(channel)\" tells commits of a table, and nothing else",
        hint: "Take a channel that does not begin with \(tablePrefix).")
    }
  }
}

/// What a transaction says about channels; it comes true when it commits.
struct PendingNotifications {
  enum Change: Sendable {
    case listen(String)
    /// nil: all.
    case unlisten(String?)
  }

  private(set) var changes: [Change] = []
  private(set) var notifications: [Notification] = []
  private var known: Set<Notification> = []

  var isEmpty: Bool { changes.isEmpty && notifications.isEmpty }

  mutating func add(_ change: Change) { changes.append(change) }

  /// The same once more in one transaction is the same.
  mutating func add(_ notification: Notification) throws {
    guard known.insert(notification).inserted else { return }
    guard notifications.count < Limits.waitingNotifications else {
      known.remove(notification)
      throw SQLError.make(
        "54000", "a transaction sends at most \(Limits.waitingNotifications) notifications", hint: "Commit in between.")
    }
    notifications.append(notification)
  }
}
