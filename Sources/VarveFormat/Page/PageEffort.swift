/// How much work a page's size is worth to whoever writes it.
package enum PageEffort: Sendable, CaseIterable {
  /// Cheap to write and to read: bit packing, no entropy stage. For chunks that will be rewritten.
  case light
  /// Every codec is tried, entropy stages and general compressors too, and the smallest page wins. For chunks that
  /// stay as they are.
  case smallest
}
