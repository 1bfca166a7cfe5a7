// swift-tools-version: 6.1
// An app with the engine inside: what a package that depends on Varve looks like.
import PackageDescription

let package = Package(
  name: "EmbeddingExample",
  dependencies: [.package(name: "varve", path: "../..")],
  targets: [
    .executableTarget(name: "EmbeddingExample", dependencies: [.product(name: "Varve", package: "varve")])
  ],
  swiftLanguageModes: [.v6]
)
