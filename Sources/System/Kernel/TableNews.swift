internal import Netlink
internal import Synchronization

/// What others do to nftables is heard by a subscription. The kernel makes a message of 4 KiB for each thing that changes
/// while anyone subscribes (nfnetlink_has_listeners, nft_notify_enqueue in net/netfilter/nf_tables_api.c), our own changes
/// too: so while we write much, nobody does, unless other programs on the router do.
///
/// What another does meanwhile is not heard. Whoever stops the news compares nftables' generation before and after, and says
/// so where more than his own change came between.
package final class TableNews: Sendable {
  private struct Subscription {
    var descriptor: Int32
    var missed: @Sendable () -> Void
  }

  private let subscription = Mutex<Subscription?>(nil)

  private let mainIsLarge = Atomic(false)
  private let onMain = Mutex<(@Sendable (Bool) -> Void)?>(nil)

  package init() {}

  /// The main table holds more routes than are looked at one by one: a router that learns the internet's hears of them all
  /// the time, and nothing follows from any.
  func main(isLarge: Bool) {
    mainIsLarge.store(isLarge, ordering: .relaxed)
    onMain.withLock { $0 }?(isLarge)
  }
  /// - Parameter told: of each look at main, whether it is large; on the thread that looked.
  func followMain(_ told: @escaping @Sendable (Bool) -> Void) { onMain.withLock { $0 = told } }
  var isMainLarge: Bool { mainIsLarge.load(ordering: .relaxed) }

  /// - Parameters:
  ///   - descriptor: of a socket that hears what happens to nftables, and lives as long as the process.
  ///   - missed: told that something may have happened that it did not hear.
  func subscribe(_ descriptor: Int32, missed: @escaping @Sendable () -> Void) {
    subscription.withLock { $0 = Subscription(descriptor: descriptor, missed: missed) }
  }

  func stop() { subscription.withLock { $0.map { Monitor.hearTables(false, by: $0.descriptor) } } }
  func resume() { subscription.withLock { $0.map { Monitor.hearTables(true, by: $0.descriptor) } } }
  func missed() { subscription.withLock { $0 }?.missed() }
}
