// swift-tools-version: 6.1
// The fuzz targets, as a library that Tools/fuzz links with libFuzzer, and the program that writes their first inputs.
// Built in a scratch directory with links to Sources and Tests, because targets must lie within their package.
import PackageDescription

let package = Package(
  name: "varve",
  products: [
    .library(name: "VarveFuzz", type: .static, targets: ["FuzzTargets"]),
    .executable(name: "fuzz-seeds", targets: ["FuzzSeeds"]),
  ],
  targets: [
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CLZ4"),
    .systemLibrary(name: "CURing"),
    .systemLibrary(name: "CZlib"),
    .target(name: "CVarve"),
    .target(name: "VarveCore", dependencies: ["CVarve"]),
    .target(name: "VarveIO", dependencies: ["VarveCore", "CVarve", "CURing"]),
    .target(name: "VarveFormat", dependencies: ["VarveCore", "CVarve", "CZstd", "CLZ4"]),
    .target(name: "VarveStorage", dependencies: ["VarveCore", "VarveIO", "VarveFormat", "CVarve"]),
    .target(
      name: "VarveArchive",
      dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "CVarve", "CZstd", "CZlib"]),
    .target(name: "VarveWire", dependencies: ["VarveCore", "CVarve"]),
    .target(name: "VarveSimulator", dependencies: ["VarveCore", "VarveIO"], path: "Tests/VarveSimulator"),
    .target(
      name: "FuzzTargets",
      dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "VarveArchive", "VarveWire"],
      path: "Tests/Fuzz/FuzzTargets"),
    .executableTarget(
      name: "FuzzSeeds",
      dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "VarveArchive", "VarveSimulator"],
      path: "Tests/Fuzz/FuzzSeeds"),
  ],
  swiftLanguageModes: [.v6]
)
