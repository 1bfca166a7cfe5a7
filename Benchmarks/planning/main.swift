// Rollups and planning: SQL in process, without sockets.
//
//   planning-benchmark planning DIRECTORY [--chunks N]               what planning costs beside 10,000 chunks
//   planning-benchmark year DIRECTORY [--hosts N] [--repeat N]       a year of minutes by day: from rows and from hours
//
// The databases are made in DIRECTORY when they are not there.

import Varve
import VarveQuery

var words = CommandLine.arguments.dropFirst()
var names: [String] = []
var (chunks, hosts, repeats) = (10_000, 20, 5)
while let word = words.popFirst() {
  switch word {
  case "--chunks": chunks = Int(words.popFirst() ?? "") ?? chunks
  case "--hosts": hosts = Int(words.popFirst() ?? "") ?? hosts
  case "--repeat": repeats = Int(words.popFirst() ?? "") ?? repeats
  default: names.append(word)
  }
}
switch (names.first, names.count) {
case ("planning", 2): try await Planning.run(in: names[1], chunks: chunks)
case ("year", 2): try await Year.run(in: names[1], hosts: hosts, repeats: repeats)
default: fatalError("usage: planning-benchmark planning|year DIRECTORY [--chunks N] [--hosts N] [--repeat N]")
}
