/// The steps for the table of the flowtable. What it forwards asks no chain and no ip rule, so it is not there while these
/// change: a flow that is to go another way, or nowhere, never goes on by the old one, wherever the process is killed. Until
/// the table is back connections are merely slower.
///
/// Routes may change beside it: the kernel drops what it has cached of them at each change (rt_cache_flush in
/// net/ipv4/fib_trie.c and fib_rules.c), and a flow whose route is no longer valid goes through the chains again, from the very
/// next packet (nf_flow_dst_check, net/netfilter/nf_flow_table_ip.c, since Linux 5.18).
struct FastPlan {
  /// Before anything else.
  private(set) var closing: [Step] = []
  /// After everything else: its devices are there by then.
  private(set) var opening: [Step] = []

  /// - Parameter steps: whatever changes of what says where connections go.
  init(_ desired: NftTable?, _ actual: NftTable?, whileChanging steps: [Step]) {
    if let actual, desired == nil || !steps.isEmpty { closing = [.deleteFastTable(table: actual.name)] }
    if let desired, desired != actual || !closing.isEmpty { opening = [.putFastTable(desired)] }
  }
}
