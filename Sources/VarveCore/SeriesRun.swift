/// Consecutive rows of one series within a batch.
package struct SeriesRun: Sendable, Hashable {
  package let series: SeriesID
  package let count: Int
  package init(series: SeriesID, count: Int) {
    self.series = series
    self.count = count
  }
}
