// Where a database backs itself up to, when, and what of that stays.

extension Database {
  /// Backups that a database takes of itself, and its log between them.
  public struct Backups: Sendable, Equatable {
    public enum Keep: Sendable, Equatable {
      case all
      /// The newest ones, so many.
      case newest(Int)
      /// What it takes to restore any moment since so long ago.
      case age(Duration)
    }

    /// `file:///path` of a directory that is there.
    public var place: String
    /// nil: backups are taken when somebody asks for one.
    public var every: Duration? = .seconds(86_400)
    /// How long it may take until a commit is in the place, where a restore reaches it; nil: the log is not shipped.
    public var shipEvery: Duration? = .seconds(10)
    public var keep = Keep.all
    /// Bytes of log that are kept while the place cannot be reached. What is older goes; then no moment in it can be
    /// restored to, and the next backup is due at once.
    public var unshippedLogByteCount = 1 << 30

    public init(place: String) { self.place = place }
  }
}
