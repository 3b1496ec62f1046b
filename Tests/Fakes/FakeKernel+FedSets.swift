package import Agent
import Core
import Glibc
package import RuleSets
import Synchronization

extension FakeKernel: FedSetPort {
  package func held(by set: String) throws(KernelFailure) -> [IPv4Address] {
    try fed(set).flatMap { $0 }.map { IPv4Address(value: $0) }.sorted { $0.value < $1.value }
  }

  package func add(_ addresses: [IPv4Address], to set: String) throws(KernelFailure) {
    let held = Set(try fed(set))
    let new = Set(addresses.map { $0.value...$0.value }).subtracting(held)
    try change("nft add element \(set)") {
      $0.nft?.fed[set, default: []] += new.sorted { $0.lowerBound < $1.lowerBound }
    }
  }

  private func fed(_ set: String) throws(KernelFailure) -> [ClosedRange<UInt32>] {
    let nft = state.withLock { $0.nft }
    guard let nft, nft.table.sets.contains(where: { $0.name == set && $0.isFed }) else {
      throw KernelFailure(operation: "nft list set \(set)", errno: ENOENT, cause: "there is no such set")
    }
    return nft.fed[set] ?? []
  }
}
