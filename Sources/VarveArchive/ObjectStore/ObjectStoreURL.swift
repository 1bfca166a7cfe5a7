// Addresses of object stores as users write them: `file:///path`, the path itself, or what other schemes are for:
// `s3://bucket/prefix`.

import VarveCore
import VarveIO

package enum ObjectStoreURL {
  /// The store at the address. Nothing is looked at yet. Throws `.invalidArgument` or `.unsupported`.
  package static func open(_ text: String, files: any FileSystem, schemes: ObjectStoreSchemes) throws -> any ObjectStore
  {
    if text.hasPrefix("/") { return DirectoryStore(root: trimmed(text), files: files) }
    guard let address = ObjectStoreAddress(text) else {
      throw VarveError(
        .invalidArgument, "\"\(text)\" is no place for objects",
        hint: "write file:///path, the path of a directory from the root on, or s3://bucket/prefix")
    }
    if let opener = schemes.opener(address.scheme) { return try opener(address) }
    guard address.scheme == "file" else {
      let isBrought = address.scheme == "s3"
      throw VarveError(
        .unsupported, isBrought ? "this program brings no S3" : "there are no stores at \(address.scheme)://",
        hint: isBrought
          ? "the `varve` command does"
          : "write file:///path of a directory, mounted if it is afar, or s3://bucket/prefix")
    }
    var rest = address.rest
    if rest.hasPrefix("localhost/") { rest = rest.dropFirst("localhost".count) }
    guard rest.hasPrefix("/"), let path = decoded(rest) else {
      throw VarveError(
        .invalidArgument, "\"\(text)\" names no directory of this machine",
        hint: "write file:/// and the path from the root on; %20 is a space")
    }
    return DirectoryStore(root: trimmed(path), files: files)
  }

  private static func trimmed(_ path: String) -> String {
    var path = path[...]
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    return String(path)
  }

  /// Without percent signs; nil if they are not followed by what they should.
  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), value != 0
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
