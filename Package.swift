// swift-tools-version: 6.1
// The ladder: each target may import only what stands below it (ARCHITECTURE.md). Tests/LadderTests holds the sources
// to the edges written here, so an import that is missing from this list fails there, not by accident later.
import PackageDescription

let package = Package(
  name: "varve",
  products: [
    .library(name: "Varve", targets: ["Varve"]),
    .executable(name: "varve", targets: ["varve-cli"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
  ],
  targets: [
    // C: system libraries, and what Swift cannot say.
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CLZ4"),
    .systemLibrary(name: "CURing"),
    .systemLibrary(name: "CPgQuery"),
    .systemLibrary(name: "CPCRE2"),
    .systemLibrary(name: "CZlib"),
    .target(name: "CVarve"),

    // The ladder, from the bottom.
    .target(name: "VarveCore", dependencies: ["CVarve"]),
    .target(name: "VarveIO", dependencies: ["VarveCore", "CVarve", "CURing"]),
    .target(name: "VarveFormat", dependencies: ["VarveCore", "CVarve", "CZstd", "CLZ4"]),
    .target(name: "VarveCompute", dependencies: ["VarveCore", "CVarve", "CPCRE2"]),
    .target(name: "VarveStorage", dependencies: ["VarveCore", "VarveIO", "VarveFormat", "CVarve"]),
    .target(name: "VarveRollup", dependencies: ["VarveCore", "VarveFormat"]),
    .target(
      name: "VarveArchive",
      dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "CVarve", "CZstd", "CZlib"]),
    .target(
      name: "VarveQuery",
      dependencies: [
        "VarveCore", "VarveCompute", "VarveFormat", "VarveStorage", "VarveRollup", "CVarve", "CPgQuery",
      ]),
    .target(
      name: "Varve",
      dependencies: [
        "VarveCore", "VarveIO", "VarveCompute", "VarveFormat", "VarveStorage", "VarveArchive", "VarveRollup",
        "VarveQuery",
      ]),
    .target(name: "VarveWire", dependencies: ["VarveCore", "CVarve"]),
    .target(
      name: "VarveS3",
      dependencies: [
        "VarveCore", "VarveIO", "VarveFormat", "VarveArchive", "VarveWire",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ]),
    .target(
      name: "VarveServer",
      dependencies: [
        "VarveCore", "VarveIO", "VarveCompute", "VarveStorage", "VarveArchive", "VarveQuery", "Varve", "VarveWire",
        "CVarve", "CZlib",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
        .product(name: "TOMLKit", package: "TOMLKit"),
      ]),
    .target(name: "VarveBench", dependencies: ["VarveCore", "VarveIO", "VarveServer"]),
    .executableTarget(
      name: "varve-cli",
      dependencies: [
        "VarveCore", "VarveIO", "VarveCompute", "VarveStorage", "VarveArchive", "VarveQuery", "Varve", "VarveWire",
        "VarveServer", "VarveS3", "VarveBench",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .executableTarget(
      name: "scan-benchmark", dependencies: ["VarveCore", "VarveIO", "VarveStorage"], path: "Benchmarks/scan"),
    .executableTarget(
      name: "codec-benchmark", dependencies: ["VarveCore", "VarveFormat"], path: "Benchmarks/codecs"),
    .executableTarget(
      name: "parquet-benchmark", dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "VarveArchive"],
      path: "Benchmarks/parquet"),
    .executableTarget(
      name: "cardinality-benchmark", dependencies: ["VarveCore", "VarveIO", "VarveStorage"],
      path: "Benchmarks/cardinality"),
    .executableTarget(
      name: "maintenance-benchmark", dependencies: ["VarveCore", "VarveIO", "VarveStorage"],
      path: "Benchmarks/maintenance"),
    .executableTarget(
      name: "lines-benchmark", dependencies: ["VarveCore", "VarveIO", "VarveStorage", "VarveWire"],
      path: "Benchmarks/lines"),
    .executableTarget(
      name: "aggregate-benchmark", dependencies: ["VarveCore", "VarveQuery", "Varve"], path: "Benchmarks/aggregate"),
    .executableTarget(
      name: "planning-benchmark", dependencies: ["VarveCore", "VarveCompute", "VarveQuery", "Varve"],
      path: "Benchmarks/planning"),
    .executableTarget(
      name: "query-benchmark", dependencies: ["VarveQuery", "Varve"], path: "Benchmarks/queries",
      exclude: ["scans.queries"]),

    // Tests mirror the sources; the simulator is the disk, clock and randomness that they inject.
    .target(name: "VarveSimulator", dependencies: ["VarveCore", "VarveIO"], path: "Tests/VarveSimulator"),
    .testTarget(name: "LadderTests"),
    .testTarget(name: "VarveIOTests", dependencies: ["VarveCore", "VarveIO", "VarveSimulator"]),
    .testTarget(name: "VarveFormatTests", dependencies: ["VarveCore", "VarveFormat", "CVarve"]),
    .testTarget(
      name: "VarveComputeTests", dependencies: ["VarveCore", "VarveCompute"], exclude: ["postgres-15-expected.txt"]),
    .testTarget(
      name: "VarveStorageTests",
      dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "VarveArchive", "VarveSimulator"],
      exclude: ["Golden"]),
    .testTarget(
      name: "VarveArchiveTests",
      dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveStorage", "VarveArchive", "VarveSimulator"]),
    .testTarget(name: "VarveRollupTests", dependencies: ["VarveCore", "VarveFormat", "VarveRollup", "VarveSimulator"]),
    .testTarget(
      name: "VarveQueryTests",
      dependencies: ["VarveCore", "VarveCompute", "VarveFormat", "VarveStorage", "VarveRollup", "VarveQuery"],
      exclude: ["Scripts"]),
    .testTarget(
      name: "VarveTests",
      dependencies: ["VarveCore", "VarveIO", "VarveStorage", "VarveQuery", "Varve", "VarveSimulator"]),
    .testTarget(name: "VarveWireTests", dependencies: ["VarveCore", "VarveWire"]),
    .testTarget(
      name: "VarveS3Tests",
      dependencies: ["VarveCore", "VarveIO", "VarveFormat", "VarveArchive", "VarveWire", "VarveS3", "VarveSimulator"]),
    .testTarget(
      name: "VarveServerTests",
      dependencies: [
        "VarveCore", "VarveIO", "VarveCompute", "VarveStorage", "VarveQuery", "Varve", "VarveWire", "VarveServer",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    .testTarget(
      name: "VarveBenchTests", dependencies: ["VarveCore", "VarveIO", "VarveWire", "VarveServer", "VarveBench"]),
  ],
  swiftLanguageModes: [.v6]
)
