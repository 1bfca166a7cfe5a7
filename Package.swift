// swift-tools-version: 6.1
import PackageDescription
let package = Package(name: "varve", targets: [
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CLZ4"),
    .target(name: "CVarve"),
    .target(name: "VarveCore", dependencies: ["CVarve"]),
    .target(name: "VarveIO", dependencies: ["VarveCore", "CVarve"]),
    .target(name: "VarveFormat", dependencies: ["VarveCore", "CVarve", "CLZ4", "CZstd"]),
    .target(name: "VarveStorage", dependencies: ["VarveCore", "VarveIO", "VarveFormat", "CVarve"]),
    .target(name: "VarveSimulator", dependencies: ["VarveCore", "VarveIO"], path: "Tests/VarveSimulator"),
    .testTarget(name: "VarveFormatTests", dependencies: ["VarveFormat"]),
    .testTarget(name: "VarveIOTests", dependencies: ["VarveIO", "VarveSimulator"]),
    .testTarget(name: "VarveStorageTests", dependencies: ["VarveStorage", "VarveSimulator"]),
])
