// What a store found out about the tag sets that a source, such as a connection, sends again and again: each tag set has
// a number of the source's, and under it the store notes the id it gave, so that the next batch needs no lookup by name.
//
// A source's batches go to one store. Only that store's committing thread reads and writes the notes; the source hands
// them on with its batches and never looks inside.

package final class SeriesMemo: @unchecked Sendable {
  // Unchecked: used by one thread, see above.
  private struct Note {
    /// Of the index that gave the id: a table that was dropped and made anew has another.
    var index: UInt64
    var series: UInt32
  }

  private var notes: [Note] = []

  package init() {}

  /// The id that the index with this number gave to the source's tag set `number`.
  package func series(_ number: UInt32, index: UInt64) -> SeriesID? {
    guard Int(number) < notes.count, notes[Int(number)].index == index else { return nil }
    return SeriesID(rawValue: notes[Int(number)].series)
  }

  package func note(_ number: UInt32, index: UInt64, series: SeriesID) {
    // Grows by itself as appending does; to reserve room for each note would copy all of them each time.
    let missing = Int(number) + 1 - notes.count
    if missing > 0 { notes.append(contentsOf: repeatElement(Note(index: 0, series: 0), count: missing)) }
    notes[Int(number)] = Note(index: index, series: series.rawValue)
  }
}
