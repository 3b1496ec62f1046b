internal import Core
internal import Glibc
internal import Netlink

extension KernelState {
  mutating func add(_ rule: RoutingRule) throws(NetlinkFailure) {
    let message = translation.message(rule)
    do throws(NetlinkFailure) { try routing.add(message) } catch {
      guard error.isAlreadyPresent else { throw error }
      // The kernel takes a narrower rule of ours for the same (rule_exists, net/core/fib_rules.c: what the request does
      // not say is not compared), so `iif lan0` is refused where `iif lan0 from 10.0.0.0/8` is.
      if try !routing.rules(message.family).contains(message) { try routing.add(message, twice: true) }
    }
  }

  /// The kernel deletes the first rule that has all that the request says, and perhaps more: `iif lan0` also finds
  /// `iif lan0 from 10.0.0.0/8`. Those of ours that stand before the one that is meant are added once more behind it
  /// first, so that none is missing for a moment; then as many are deleted as were found before it, and it.
  mutating func delete(_ rule: RoutingRule) throws(NetlinkFailure) {
    let translation = translation
    let rules = try routing.rules(translation.message(rule).family)
    guard let place = rules.firstIndex(where: { translation.rule($0) == rule }) else { return }
    let message = rules[place]
    let before = rules[..<place].filter { message.finds($0) }
    // One with selectors that are not told would come back as another, and is to go as well.
    for other in before where !other.hasMore { try routing.add(other, twice: true) }
    for _ in 0...before.count {
      do throws(NetlinkFailure) { try routing.deleteFirst(like: message) } catch {
        if !error.isMissing { throw error }
      }
    }
  }
}

extension RuleMessage {
  /// Whether a deletion of this would find `other` (rule_find, fib4_rule_compare and fib6_rule_compare).
  fileprivate func finds(_ other: RuleMessage) -> Bool {
    other.priority == priority && other.origin == origin && other.action.number == action.number
      && (action != .lookup || other.table == table) && (mark == 0 || other.mark == mark)
      && (mask == 0 || other.mask == mask) && (incoming == nil || other.incoming == incoming)
      && (sourceLength == 0
        || (other.source == source && other.ipv6Source == ipv6Source && other.sourceLength == sourceLength))
      && (destinationLength == 0
        || (other.destination == destination && other.ipv6Destination == ipv6Destination
          && other.destinationLength == destinationLength))
      && (suppressPrefixLength == nil || other.suppressPrefixLength == suppressPrefixLength)
  }
}
