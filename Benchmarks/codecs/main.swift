// What a page takes and what reading and writing it costs, on one core.
//
//   codec-benchmark [sizes] [speed] [--data DIRECTORY] [--only NAME]
//
// Without a word both tables. DIRECTORY holds `alp/` and `nab/` (default: VARVE_TEST_DATA, else ../shared/data); where
// it is absent only made-up data are measured. NAME narrows the speed table. All randomness is seeded: sizes are the same in every run.

import Glibc

var words = Array(CommandLine.arguments.dropFirst())
var directory = getenv("VARVE_TEST_DATA").map { String(cString: $0) } ?? "../shared/data"
if let flag = words.firstIndex(of: "--data"), flag + 1 < words.count {
  directory = words[flag + 1]
  words.removeSubrange(flag...(flag + 1))
}
var only = ""
if let flag = words.firstIndex(of: "--only"), flag + 1 < words.count {
  only = words[flag + 1]
  words.removeSubrange(flag...(flag + 1))
}
for word in words where word != "sizes" && word != "speed" {
  fatalError("unknown word \(word); usage: codec-benchmark [sizes] [speed] [--data DIRECTORY] [--only NAME]")
}
if words.isEmpty || words.contains("sizes") { try SizeTable.print(directory: directory) }
if words.isEmpty || words.contains("speed") { try SpeedTable.print(only: only) }
