// What /metrics says of subscriptions, and of LISTEN and NOTIFY.

import Varve
import VarveQuery
import VarveStorage

enum SubscriptionMetrics {
  static func add(_ database: Database, to text: inout MetricsText) {
    let counts = database.liveMeter.counts
    text.gauge("varve_subscriptions", "Queries that are followed; varve.queries has each.", counts.open)
    text.counter("varve_subscriptions_total", "Subscriptions that began.", counts.opened)
    text.counters(
      "varve_subscription_events_total",
      "What subscriptions told: rows of commits, finished buckets, and buckets that were told before.", "event",
      [("rows", counts.rowPieces), ("bucket", counts.buckets), ("corrected", counts.corrections)])
    text.counter("varve_subscription_rows_total", "Rows that subscriptions told.", counts.rows)
    text.counter(
      "varve_subscriptions_gone_total", "Subscriptions that the log did not reach back to any more.", counts.gone)
    text.gauge(
      "varve_subscription_oldest_offset", "The oldest commit behind which a subscription can go on.",
      Int(clamping: database.store.feed.oldest.rawValue))
    let notifications = database.monitor.notifications.counts
    text.gauge("varve_listening_sessions", "Sessions that LISTEN.", notifications.listeners)
    text.gauge("varve_notification_channels", "Channels that somebody listens to.", notifications.channels)
    text.counter("varve_notifications_total", "Notifications that were sent.", notifications.posted)
  }
}
