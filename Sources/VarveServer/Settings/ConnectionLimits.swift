// How many connections each listener takes: what the settings say, as far as the system lets this process have sockets.
//
// The database needs files: a connection too many must be refused with an answer, and not take the file that a chunk
// or a log segment would have been.

import Logging

struct ConnectionLimits: Equatable {
  /// Of line protocol, and of HTTP: each.
  let connections: Int
  let sessions: Int
  /// Of line protocol and HTTP together.
  let sockets: Int

  /// Files kept for the database, and for sockets that are being refused.
  static let filesOfTheDatabase = 1_024

  /// `openFiles`: what the system allows; 0 where it does not say. A quarter of them is the database's, at most
  /// `filesOfTheDatabase`. Sessions are few and for people: they get theirs, up to half of the rest.
  init(connections: Int, sessions: Int, openFiles: Int) {
    let free = openFiles > 0 ? openFiles - min(Self.filesOfTheDatabase, openFiles / 4) : .max
    self.sessions = max(1, min(sessions, free / 2))
    sockets = max(1, min(2 * connections, free - self.sessions))
    self.connections = min(connections, sockets)
  }

  init(_ settings: ServerSettings, openFiles: Int, logger: Logger) {
    self.init(connections: settings.connections, sessions: settings.sessions, openFiles: openFiles)
    if connections < settings.connections || sessions < settings.sessions {
      logger.log(
        level: settings.areConnectionsAskedFor ? .warning : .info,
        "the system allows too few open files for all connections, so the listeners take fewer",
        metadata: [
          "open-files": "\(openFiles)", "connections": "\(connections) of \(settings.connections)",
          "sessions": "\(sessions) of \(settings.sessions)",
          "hint": "raise the hard limit (`ulimit -Hn`, systemd's LimitNOFILE=), or lower --connections and --sessions",
        ])
    }
  }
}
